# S0, table 5.3: the rotation task itself started from random weights.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/rotation-scratch_erfnet_1xb128-60e_cityscapes-extra-512x512', layers='1-16'),
        ]),
]
