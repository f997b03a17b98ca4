# Small sibling of S1, table 4.3, "Random init.": ERFNet on 12 of CamVid's 367 images (seed 0 of tools/make_splits.py).
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/camvid_96x128.py', '../_base_/schedules/adam_600i.py',
    '../_base_/default_runtime.py'
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(dropout=(0.0, 0.0)),  # as the other small recipes
    decode_head=dict(num_classes=11, loss_decode=dict(class_weight=None)))  # S1 has no class weights
custom_hooks = [dict(type='mmssl.FoldNormHook')]
train_dataloader = dict(dataset=dict(ann_file='{{fileDirname}}/../_base_/splits/camvid/1of30-seed0/labeled.txt'))
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # twice the schedule's, for so few steps
train_cfg = dict(val_interval=300)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=300))
