# S0, table 5.7, 0.9-Cityscapes-Rotation-0.1-ImageNet-class: of each layer the 90 % filters of the highest energy, and
# the strongest of ImageNet classification in place of the others.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(
                source='work_dirs/rotation_erfnet_1xb128-60e_cityscapes-extra-512x512',
                layers='1-16',
                keep_filters=0.9,
                other_filters='work_dirs/cls_erfnet_1xb128-90e_in1k-224x224'),
        ]),
]
