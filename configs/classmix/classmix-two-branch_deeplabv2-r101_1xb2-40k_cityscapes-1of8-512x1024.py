# A quirk of the released code: the head of the released code, of which only the dilations 6 and 12 are computed.
_base_ = './classmix_deeplabv2-r101_1xb2-40k_cityscapes-1of8-512x1024.py'
model = dict(segmentor=dict(decode_head=dict(dilations=(6, 12))))  # thesis: (6, 12, 18, 24)
