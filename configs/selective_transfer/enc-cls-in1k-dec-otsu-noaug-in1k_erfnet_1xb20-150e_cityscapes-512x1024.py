# S0, table 5.2: encoder from ImageNet classification, decoder from Otsu clusters on
# ImageNet without augmentation. The last layer is always new.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/cls_erfnet_1xb128-90e_in1k-224x224', layers='1-16'),
            dict(source='work_dirs/otsu-noaug_erfnet_1xb20-60e_in1k-224x224', layers='17-22'),
        ]),
]
