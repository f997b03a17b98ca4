# S2, table 4.3, source only: trained on GTA5, evaluated on Cityscapes.
_base_ = [
    '../_base_/models/deeplabv2_r101.py', '../_base_/datasets/gta5_512x512.py', '../_base_/schedules/sgd_40k.py',
    '../_base_/default_runtime.py'
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='data/weights/deeplabv2_coco.pth', prefix='backbone.')))
train_cfg = dict(max_iters=250000, val_interval=10000)  # section 4.1.3
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=250000, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=10000))
auto_scale_lr = dict(enable=False, base_batch_size=2)
