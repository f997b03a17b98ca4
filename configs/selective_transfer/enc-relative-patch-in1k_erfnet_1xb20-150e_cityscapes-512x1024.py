# S0, table 5.1: encoder from relative patch on ImageNet.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/relative-patch_erfnet_1xb128-60e_in1k-64x64', layers='1-16'),
        ]),
]
