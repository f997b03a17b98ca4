# S2, table 5.1: CowMix.
_base_ = './classmix_deeplabv2-r101_1xb2-40k_cityscapes-1of8-512x1024.py'
model = dict(mixing=dict(_delete_=True, type='mmssl.CowMix', sigma=(8.0, 32.0)))  # the released code's sigmas
