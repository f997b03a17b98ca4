# S0, table 5.1: encoder from jigsaw on Cityscapes extended.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/jigsaw_erfnet_1xb128-60e_cityscapes-extra-64x64', layers='1-16'),
        ]),
]
