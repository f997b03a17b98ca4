# BYOL on ResNet-50, S3, sections 3.2.4 and 4.4: projection and prediction of 2048 hidden and 256 output numbers,
# 57,520,256 parameters with the target's. It is mmpretrain's BYOL, unchanged: the target moves inside loss(), before
# its forward pass, towards the online network by 1 - tau, and takes over its batch statistics. The thesis names no tau
# (equation 9): 0.996 as in BYOL (Grill et al., 2020), mmpretrain's default, on a cosine to 1 over the training, whose
# length the class reads from the Runner. The loss is -4 at best: twice the negative cosine, in both directions. The
# batch norm behind the hidden layer is BYOL's; the thesis does not mention it.
model = dict(
    type='BYOL',
    base_momentum=0.004,  # 1 - tau
    data_preprocessor=dict(
        type='SelfSupDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
    backbone=dict(type='ResNet', depth=50, norm_cfg=dict(type='SyncBN'), zero_init_residual=False),
    neck=dict(
        type='NonLinearNeck',
        in_channels=2048,
        hid_channels=2048,
        out_channels=256,
        with_bias=True,
        with_last_bn=False),
    head=dict(
        type='LatentPredictHead',
        predictor=dict(
            type='NonLinearNeck',
            in_channels=256,
            hid_channels=2048,
            out_channels=256,
            with_bias=True,
            with_last_bn=False,
            with_avg_pool=False),
        loss=dict(type='CosineSimilarityLoss')))
