# S0, table 5.7, Cityscapes-Rotation-lotto-0.75: a quarter of the weights of each layer is zero and stays so.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/rotation_erfnet_1xb128-60e_cityscapes-extra-512x512', layers='1-16'),
        ]),
    dict(type='mmssl.LotteryTicketHook', sparsity=0.25, scope='layer', modules='backbone'),
]
