# S0, table 5.7, 0.75-Cityscapes-Rotation-0.25-Kaiming: of each layer the 75 % filters of the highest energy.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(
                source='work_dirs/rotation_erfnet_1xb128-60e_cityscapes-extra-512x512',
                layers='1-16',
                keep_filters=0.75,
                other_filters='kaiming'),
        ]),
]
