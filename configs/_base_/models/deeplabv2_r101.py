# DeepLabv2 on ResNet-101, S2 table 3.1: output stride 8, dilations 2 and 4 in the last two stages, ASPP of 6, 12, 18,
# 24; 43,901,068 parameters with 19 classes. The released code rounds the size after the max pooling up, so that its
# maps of even images are one row and column larger; mmseg's ResNet rounds down, to the 1/4 and 1/8 of the table.
# Start it from the published MSCOCO weights: tools/model_converters/deeplabv2.py.
norm_cfg = dict(type='BN', requires_grad=False)  # scale and shift frozen, statistics not, as in the released code
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[104.008, 116.669, 122.679],  # BGR, of the weights it starts from; no division (section 4.1.3)
        std=[1.0, 1.0, 1.0],
        bgr_to_rgb=False,
        pad_val=0,
        seg_pad_val=255),
    backbone=dict(
        type='ResNet',
        depth=101,
        out_indices=(3, ),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        contract_dilation=False,  # the first block of a stage is dilated like the others
        norm_cfg=norm_cfg,
        norm_eval=False,
        style='caffe'),  # stride on the first 1x1 convolution of a block, as in the published weights
    decode_head=dict(
        type='mmssl.DeepLabV2Head',
        in_channels=2048,
        num_classes=19,
        dilations=(6, 12, 18, 24),  # the released code computes (6, 12)
        align_corners=True,
        loss_decode=dict(type='mmssl.WeightedCrossEntropyLoss')),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
