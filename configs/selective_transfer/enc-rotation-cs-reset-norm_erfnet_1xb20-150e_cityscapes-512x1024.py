# S0, section 5.1: rotation's weights with batch norm as at the start, which did no harm.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/rotation_erfnet_1xb128-60e_cityscapes-extra-512x512', layers='1-16', norm='reset'),
        ]),
]
