# S0, section 5.1: layers 8 to 16 stay random, which did worse than 13 to 16.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/rotation_erfnet_1xb128-60e_cityscapes-extra-512x512', layers='1-7'),
        ]),
]
