# Small sibling of S1, table 4.3, "Our method": affine view with random parameters, Random Erasing Black, Momentum BN in
# the target encoder, LocalPPM 5x5.
_base_ = 'pixpro_erfnet_1xb16-1500i_camvid-96x96.py'
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    {{_base_.views}},
    # section 4.3.1 but for the translation: 100 of 224 pixels there, a fifth of the view here
    dict(type='mmssl.AffineView', view=0, rotation=(-45, 45), translation=(-20, 20), shear_x=(-10, 10)),
    dict(type='mmssl.PackPixelViews'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(
    propagation=dict(type='mmssl.LocalPPM', frame_size=5),
    erasing=dict(type='mmssl.BatchRandomErasing', fill='black'),
    teacher=dict(norm_cfg=dict(type='mmssl.MomentumBN', coefficient=0.9, forwards_per_update=2)))
