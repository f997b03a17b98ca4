# Colorization as classification (S4, sections 2.3.3 and 2.4.2): CamVid at 240x320, from random weights.
_base_ = './colorization_erfnet_1xb8-600i_camvid-192x256.py'
model = dict(
    decode_head=dict(
        _delete_=True, type='mmssl.QuantizedColorizationHead', in_channels=128, norm_cfg=_base_.norm_cfg))
