# Denoising (S4, section 2.3.2): CamVid's training images at 240x320, from random weights.
_base_ = [
    '../_base_/models/erfnet_reconstruction.py', '../_base_/datasets/images_camvid.py',
    '../_base_/schedules/adam_600i.py', '../_base_/default_runtime.py'
]
crop_size = (192, 256)  # height, width
# The report names no strength of the noise: 25 grey levels.
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(320, 240)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.RandomTranslate', max_shift=2),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='mmssl.RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    dict(type='mmssl.DenoisingTarget', std=25.0),
    dict(type='mmssl.PackPretextInputs', pixel_keys=('gt_image',)),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(320, 240)),
    dict(type='mmssl.DenoisingTarget', std=25.0, seed=0),
    dict(type='mmssl.PackPretextInputs', pixel_keys=('gt_image',)),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmssl.ReconstructionError')
test_evaluator = val_evaluator
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(dropout=(0.0, 0.0)))  # as in the small recipe of ERFNet
custom_hooks = [dict(type='mmssl.FoldNormHook')]
