# S0, table 5.1: encoder from Otsu clusters on Cityscapes extended.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/otsu_erfnet_1xb20-60e_cityscapes-extra-448x896', layers='1-16'),
        ]),
]
