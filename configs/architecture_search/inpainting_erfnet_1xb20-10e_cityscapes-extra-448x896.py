# Proxy of the search on Cityscapes: inpainting (S4, section 2.3.1) on the training and the extra images, without masks.
# Ten passes of the 60 that pretraining takes: it ranks candidates, the best may be trained longer.
_base_ = [
    '../_base_/models/erfnet_reconstruction.py', '../_base_/datasets/images_cityscapes.py',
    '../_base_/schedules/adam_60e.py', '../_base_/default_runtime.py'
]
crop_size = (448, 896)  # height, width
# The report names no size of the square: a quarter to a half of the shorter side; held out, the middle of both.
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(1024, 512)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.RandomTranslate', max_shift=2),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='mmssl.RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    dict(type='mmssl.InpaintingTarget', side=(0.25, 0.5)),
    dict(type='mmssl.PackPretextInputs', pixel_keys=('gt_image', 'gt_erased')),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(1024, 512)),
    dict(type='mmssl.InpaintingTarget', side=0.375, seed=0),
    dict(type='mmssl.PackPretextInputs', pixel_keys=('gt_image', 'gt_erased')),
]
train_dataloader = dict(batch_size=20, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmssl.ReconstructionError', region='erased')
test_evaluator = val_evaluator
model = dict(data_preprocessor=dict(size=crop_size))
custom_hooks = [dict(type='mmssl.FoldNormHook')]
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=10, by_epoch=True)]
train_cfg = dict(max_epochs=10, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))  # a candidate may take hours
