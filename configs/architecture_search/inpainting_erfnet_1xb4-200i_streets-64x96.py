# Proxy of the small search: inpainting (S4, section 2.3.1) on 400 street scenes, which are rendered without masks. The
# score is the signal-to-noise ratio inside the erased squares of 100 other scenes: in dB, whatever the network.
_base_ = [
    '../_base_/models/erfnet_reconstruction.py', '../_base_/datasets/streets_64x96.py',
    '../_base_/schedules/adam_600i.py', '../_base_/default_runtime.py'
]
# The report names no size of the square: a quarter to a half of the shorter side; held out, the middle of both.
train_pipeline = [
    dict(type='mmssl.LoadStreetScene', with_labels=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.InpaintingTarget', side=(0.25, 0.5)),
    dict(type='mmssl.PackPretextInputs', pixel_keys=('gt_image', 'gt_erased')),
]
test_pipeline = [
    dict(type='mmssl.LoadStreetScene', with_labels=False),
    dict(type='mmssl.InpaintingTarget', side=0.375, seed=0),
    dict(type='mmssl.PackPretextInputs', pixel_keys=('gt_image', 'gt_erased')),
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(dropout=(0.0, 0.0)))  # as the other small recipes
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='mmssl.ReconstructionError', region='erased')
test_evaluator = val_evaluator
custom_hooks = [dict(type='mmssl.FoldNormHook')]
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # twice the schedule's, for so few steps, as the segmentation's
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=200, by_epoch=False)]
train_cfg = dict(max_iters=200, val_interval=200)
# One checkpoint, at the end: a training that was interrupted starts anew, from the same seed.
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=200))
