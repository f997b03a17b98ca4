# Everything as the released code has it: what table 4.1 was most likely made with.
_base_ = './classmix-half-size_deeplabv2-r101_1xb2-40k_cityscapes-1of8-512x1024.py'
model = dict(
    segmentor=dict(decode_head=dict(dilations=(6, 12))),
    mixing=dict(rounding='floor'),
    teacher=dict(buffers='own', mode='train'),
    loss_unlabeled=dict(type='mmssl.ConsistencyCrossEntropyLoss', average='all'),
    augmentations=[
        dict(type='mmssl.BatchColorJitter', prob=0.8),
        dict(type='mmssl.BatchGaussianBlur', prob=0.5),
    ])
