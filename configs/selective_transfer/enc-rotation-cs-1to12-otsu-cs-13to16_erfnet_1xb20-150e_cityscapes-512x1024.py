# S0, table 5.7, Cityscapes-Rotation-layer1-12-Cityscapes-otsu-layer13-16.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/rotation_erfnet_1xb128-60e_cityscapes-extra-512x512', layers='1-12'),
            dict(source='work_dirs/otsu_erfnet_1xb20-60e_cityscapes-extra-448x896', layers='13-16'),
        ]),
]
