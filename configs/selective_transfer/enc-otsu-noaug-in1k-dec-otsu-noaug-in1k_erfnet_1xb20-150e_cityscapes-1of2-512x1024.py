# S0, table 5.5: half of the labels, encoder and decoder from Otsu clusters on ImageNet without augmentation.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-1of2-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/otsu-noaug_erfnet_1xb20-60e_in1k-224x224', layers='1-22'),
        ]),
]
