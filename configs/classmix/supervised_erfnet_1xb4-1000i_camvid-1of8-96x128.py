# Baseline of the small comparison: CamVid with 1/8 of the labels (46 images, seed 0 of tools/make_splits.py).
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/camvid_96x128.py', '../_base_/schedules/adam_600i.py',
    '../_base_/default_runtime.py'
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(dropout=(0.0, 0.0)),  # as the other small recipes
    decode_head=dict(num_classes=11, loss_decode=dict(class_weight=None)))  # S2 has no class weights
custom_hooks = [dict(type='mmssl.FoldNormHook')]
train_dataloader = dict(
    dataset=dict(ann_file='{{fileDirname}}/../_base_/splits/camvid/1of8-seed0/labeled.txt'))
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # twice the schedule's, for so few steps
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=1000, by_epoch=False)]
train_cfg = dict(max_iters=1000, val_interval=500)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=500))
