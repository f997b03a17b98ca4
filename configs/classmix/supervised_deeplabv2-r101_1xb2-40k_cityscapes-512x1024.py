# S2, table 4.1, baseline with all 2,975 labels: DeepLabv2 from MSCOCO weights, no augmentation (section 4.1.2).
_base_ = [
    '../_base_/models/deeplabv2_r101.py', '../_base_/datasets/cityscapes_plain_512x1024.py',
    '../_base_/schedules/sgd_40k.py', '../_base_/default_runtime.py'
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}, mean=[72.39, 82.91, 73.16]),  # BGR mean of Cityscapes, section 4.3.1
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='data/weights/deeplabv2_coco.pth', prefix='backbone.')))
auto_scale_lr = dict(enable=False, base_batch_size=2)
