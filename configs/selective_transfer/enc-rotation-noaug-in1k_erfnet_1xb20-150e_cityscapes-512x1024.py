# S0, table 5.6: encoder from rotation on ImageNet without augmentation.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/rotation-noaug_erfnet_1xb128-60e_in1k-224x224', layers='1-16'),
        ]),
]
