# PixPro, S1, sections 2.4.1 and 3.1, on ERFNet's encoder: maps of one eighth of the view.
norm_cfg = dict(type='BN', eps=1e-3, requires_grad=True)  # eps of the public release of ERFNet
model = dict(
    type='mmssl.PixPro',
    data_preprocessor=dict(
        type='SelfSupDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
    backbone=dict(type='mmssl.ERFNetEncoder', norm_cfg=norm_cfg, dropout=(0.0, 0.0)),  # as the other small recipes
    neck=dict(
        type='mmssl.ConvProjector', in_channels=128, hidden_channels=256, out_channels=128, norm_cfg=norm_cfg),
    propagation=dict(type='mmssl.PPM', in_channels=128),
    loss_consistency=dict(type='mmssl.PixelConsistencyLoss', threshold=0.7),  # equation 2.12
    teacher=dict(alpha=0.99, end_alpha=1.0))
custom_hooks = [
    dict(type='mmssl.MeanTeacherHook'),
    dict(type='mmssl.PixelHealthHook'),
    dict(type='mmssl.PixelPictureHook', interval=500),
]
