# S0, table 5.8, the pruned network: 80 % of all weights are zero before and during training. Its dense sibling is
# ../selective_transfer/enc-rotation-cs-dec-otsu-noaug-in1k_erfnet_1xb20-150e_cityscapes-512x1024.py.
_base_ = '../erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmssl.WeightTransferHook',
        rules=[
            dict(source='work_dirs/rotation_erfnet_1xb128-60e_cityscapes-extra-512x512', layers='1-16'),
            dict(source='work_dirs/otsu-noaug_erfnet_1xb20-60e_in1k-224x224', layers='17-22'),
        ]),
    dict(type='mmssl.LotteryTicketHook', sparsity=0.8, scope='layer', modules='*'),
]
