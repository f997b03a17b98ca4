# The small comparison with CowMix.
_base_ = './classmix_erfnet_1xb4-1000i_camvid-1of8-96x128.py'
model = dict(mixing=dict(_delete_=True, type='mmssl.CowMix', sigma=(2.0, 8.0)))  # a quarter of 8 to 32, as the images
