# ERFNet with two outputs at full size, a and b of CIELAB (S0, section 3.2.5).
norm_cfg = dict(type='BN', eps=1e-3, requires_grad=True)  # eps of the public release
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255),
    backbone=dict(type='mmssl.ERFNetEncoder', norm_cfg=norm_cfg),
    decode_head=dict(type='mmssl.ColorizationHead', in_channels=128, norm_cfg=norm_cfg),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
