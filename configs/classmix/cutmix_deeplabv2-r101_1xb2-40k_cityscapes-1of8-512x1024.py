# S2, table 5.1: CutMix.
_base_ = './classmix_deeplabv2-r101_1xb2-40k_cityscapes-1of8-512x1024.py'
model = dict(mixing=dict(_delete_=True, type='mmssl.CutMix'))
