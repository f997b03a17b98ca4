# S0, table 5.5: half of the labels, encoder from rotation on Cityscapes extended.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-1of2-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/rotation_erfnet_1xb128-60e_cityscapes-extra-512x512', layers='1-16'),
        ]),
]
