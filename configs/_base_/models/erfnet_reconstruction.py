# ERFNet with three outputs at full size, the colours of the image (S4, sections 2.3.1, 2.3.2 and 2.4.2).
norm_cfg = dict(type='BN', eps=1e-3, requires_grad=True)  # eps of the public release
input_mean = [123.675, 116.28, 103.53]
input_std = [58.395, 57.12, 57.375]
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=input_mean, std=input_std, bgr_to_rgb=True, pad_val=0, seg_pad_val=255),
    backbone=dict(type='mmssl.ERFNetEncoder', norm_cfg=norm_cfg),
    decode_head=dict(
        type='mmssl.ReconstructionHead',
        in_channels=128,
        mean=input_mean,
        std=input_std,
        bgr_to_rgb=True,
        norm_cfg=norm_cfg),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
