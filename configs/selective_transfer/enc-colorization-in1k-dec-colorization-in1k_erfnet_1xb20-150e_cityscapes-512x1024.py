# S0, table 5.1: encoder and decoder from colorization on ImageNet; the last layer is new.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/colorization_erfnet_1xb20-60e_in1k-224x224', layers='1-22'),
        ]),
]
