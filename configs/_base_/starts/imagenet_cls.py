# Every pretext task of the thesis starts from ImageNet classification (S0, section 5.1), which is trained first:
# configs/pretext/cls_erfnet_1xb128-90e_in1k-224x224.py. custom_hooks = [] starts from random weights.
custom_hooks = [
    dict(
        type='mmssl.WeightTransferHook',
        rules=[dict(source='work_dirs/cls_erfnet_1xb128-90e_in1k-224x224', modules='backbone')])
]
