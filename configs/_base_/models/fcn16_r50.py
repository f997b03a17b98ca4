# FCN-16 on ResNet-50, S1, section 4.1.3, after MoCo: the 3x3 convolutions of the last stage have dilation 2 and stride
# 1, so that maps are 1/16 of the image; two 3x3 convolutions of 256 channels and dilation 6, with norm and ReLU, and a
# 1x1 convolution to the classes; no dropout. 28,822,355 parameters with 19 classes.
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255),
    backbone=dict(
        type='ResNet',
        depth=50,
        out_indices=(3, ),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        contract_dilation=False,  # the first block of the stage is dilated like the others
        norm_cfg=norm_cfg,
        norm_eval=False,
        style='pytorch'),  # stride on the 3x3 convolution of a block, as in mmpretrain's and torchvision's
    decode_head=dict(
        type='FCNHead',
        in_channels=2048,
        channels=256,
        num_convs=2,
        dilation=6,
        concat_input=False,
        dropout_ratio=0,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='mmssl.WeightedCrossEntropyLoss')),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
