# S1, table 4.3, random weights: FCN-16 on Cityscapes (section 4.1.3).
_base_ = [
    '../_base_/models/fcn16_r50.py', '../_base_/datasets/cityscapes_768x768.py', '../_base_/schedules/sgd_100e.py',
    '../_base_/default_runtime.py'
]
model = dict(data_preprocessor=dict(size={{_base_.crop_size}}))
log_processor = dict(by_epoch=True)
auto_scale_lr = dict(enable=False, base_batch_size=7)
# What the recipes that start from PixPro take of it (section 3.1); the norms keep their running statistics.
online_encoder = dict(modules='backbone', source_modules='student.backbone')
