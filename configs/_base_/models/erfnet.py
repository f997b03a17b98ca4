# ERFNet, S0 table 3.1: 16 layers of encoder, 7 of decoder, the last one predicts the classes.
norm_cfg = dict(type='BN', eps=1e-3, requires_grad=True)  # eps of the public release
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        test_cfg=dict(size_divisor=8)),  # stride of the encoder; the padding is cut off again
    backbone=dict(type='mmssl.ERFNetEncoder', norm_cfg=norm_cfg),
    decode_head=dict(
        type='mmssl.ERFNetDecodeHead',
        in_channels=128,
        num_classes=19,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='mmssl.WeightedCrossEntropyLoss', class_weight='enet')),  # equation 4.1
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
custom_hooks = [
    dict(type='mmssl.ClassWeightHook', c=1.02),  # section 4.2.1
    dict(type='mmssl.FoldNormHook'),
]
