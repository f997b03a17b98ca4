# Baseline of the quick start: 16 of 400 street scenes with their masks (1/25, seed 0 of tools/make_splits.py).
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/streets_64x96.py', '../_base_/schedules/adam_600i.py',
    '../_base_/default_runtime.py'
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(dropout=(0.0, 0.0)),  # as the other small recipes
    decode_head=dict(num_classes=6, loss_decode=dict(class_weight=None)))  # S2 has no class weights
custom_hooks = [dict(type='mmssl.FoldNormHook')]
train_dataloader = dict(
    dataset=dict(ann_file='{{fileDirname}}/../_base_/splits/streets/1of25-seed0/labeled.txt'))
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # twice the schedule's, for so few steps
train_cfg = dict(val_interval=300)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=300))
