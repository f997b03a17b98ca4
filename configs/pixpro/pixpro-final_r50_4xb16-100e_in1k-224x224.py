# S1, table 4.3, the final method (section 4.4): random affine view and black erasing (section 4.3.1), propagation
# within 5x5 of the 14x14 pixels, Momentum BN in the target encoder; four GPUs, batch 64, 100 epochs.
_base_ = 'pixpro_r50_1xb64-30e_in1k-224x224.py'
affine = dict(type='mmssl.AffineView', rotation=(-45, 45), translation=(-100, 100), shear_x=(-10, 10))
train_pipeline = [dict(type='mmssl.LoadImage'), _base_.views, affine, dict(type='mmssl.PackPixelViews')]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
model = dict(
    backbone=_base_.dilated,
    propagation=dict(type='mmssl.LocalPPM', frame_size=5),
    erasing=dict(type='mmssl.BatchRandomErasing', fill='black', prob=1.0),
    teacher=dict(norm_cfg=_base_.momentum_bn))
train_cfg = dict(max_epochs=100)
param_scheduler = [
    _base_.warm_up,
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=5, end=100, by_epoch=True, convert_to_iter_based=True),
]
