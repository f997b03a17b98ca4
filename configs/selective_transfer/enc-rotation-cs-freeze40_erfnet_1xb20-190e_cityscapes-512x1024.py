# S0, table 5.4: the encoder is frozen for 40 epochs, then everything trains for 150. The thesis does not give the
# learning rate of the first stage; here it is constant.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=40, end=190, by_epoch=True)]
train_cfg = dict(max_epochs=190)
# The frozen encoder has no gradients; with several processes they are not waited for.
find_unused_parameters = True
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/rotation_erfnet_1xb128-60e_cityscapes-extra-512x512', layers='1-16'),
        ]),
    dict(type='mmssl.FreezeHook', modules='backbone', epochs=40),
]
