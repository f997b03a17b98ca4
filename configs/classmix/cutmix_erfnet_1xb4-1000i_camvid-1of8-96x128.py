# The small comparison with CutMix.
_base_ = './classmix_erfnet_1xb4-1000i_camvid-1of8-96x128.py'
model = dict(mixing=dict(_delete_=True, type='mmssl.CutMix'))
