# S2, table 4.2, baseline with all 10,582 labels.
_base_ = [
    '../_base_/models/deeplabv2_r101.py', '../_base_/datasets/voc12aug_321x321.py', '../_base_/schedules/sgd_40k.py',
    '../_base_/default_runtime.py'
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='data/weights/deeplabv2_coco.pth', prefix='backbone.')),
    decode_head=dict(num_classes=21))
auto_scale_lr = dict(enable=False, base_batch_size=10)
