# PixPro on ResNet-50, S1, sections 2.4.1 and 3.1: maps of 1/32 of the view, 7x7 of 224x224. Residual blocks start as
# the identity, mmpretrain's default, as in the released code of PixPro.
norm_cfg = dict(type='SyncBN')  # section 3.1
model = dict(
    type='mmssl.PixPro',
    data_preprocessor=dict(
        type='SelfSupDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
    backbone=dict(type='ResNet', depth=50, out_indices=(3, ), norm_cfg=norm_cfg),
    neck=dict(
        type='mmssl.ConvProjector', in_channels=2048, hidden_channels=4096, out_channels=256, norm_cfg=norm_cfg),
    propagation=dict(type='mmssl.PPM', in_channels=256),  # gamma is 2, equation 2.11
    loss_consistency=dict(type='mmssl.PixelConsistencyLoss', threshold=0.7),  # equation 2.12
    teacher=dict(alpha=0.99, end_alpha=1.0))  # the released code's; S1, equation 2.9, names no number
custom_hooks = [
    dict(type='mmssl.MeanTeacherHook'),
    dict(type='mmssl.PixelHealthHook'),
    dict(type='mmssl.PixelPictureHook', interval=5000),
]
# What recipes switch on:
# the last stage keeps its resolution (section 3.1.1): maps of 1/16 of the view, 14x14 of 224x224
dilated = dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))
# in the target encoder alone (section 3.1); S1 names no coefficient, 0.9 is that of torch's running average. The two
# views pass one after the other and make one update.
momentum_bn = dict(type='mmssl.MomentumBN', coefficient=0.9, forwards_per_update=2)
