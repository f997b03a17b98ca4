# Source only: trained on street scenes in the look of a game, evaluated on CamVid.
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/game-to-camvid_72x96.py', '../_base_/schedules/adam_600i.py',
    '../_base_/default_runtime.py'
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(dropout=(0.0, 0.0)),  # as the other small recipes
    decode_head=dict(num_classes=11, loss_decode=dict(class_weight=None)))  # S2 has no class weights
custom_hooks = [dict(type='mmssl.FoldNormHook')]
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # twice the schedule's, for so few steps
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=1200, by_epoch=False)]
train_cfg = dict(max_iters=1200, val_interval=400)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=400))
