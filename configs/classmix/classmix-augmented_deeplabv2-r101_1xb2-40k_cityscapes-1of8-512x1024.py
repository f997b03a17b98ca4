# S2, table 5.1: extra augmentations.
_base_ = './classmix_deeplabv2-r101_1xb2-40k_cityscapes-1of8-512x1024.py'
model = dict(augmentations=[
    dict(type='mmssl.BatchColorJitter', prob=0.5),  # section 5.2.1: half of the batches
    dict(type='mmssl.BatchGaussianBlur', prob=0.5),
])
