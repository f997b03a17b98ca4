# A quirk of the released code: the released code rounds half of an odd number of classes down.
_base_ = './classmix_deeplabv2-r101_1xb2-40k_cityscapes-1of8-512x1024.py'
model = dict(mixing=dict(rounding='floor'))  # thesis, algorithm 1: 'ceil'
