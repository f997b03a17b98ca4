# S0, table 5.1: encoder from ImageNet classification.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/cls_erfnet_1xb128-90e_in1k-224x224', layers='1-16'),
        ]),
]
