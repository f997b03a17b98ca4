# Small sibling of BYOL (S3, sections 3.2 and 4.4): 128 images of COCO, ResNet-18, the thesis's MLP, random weights.
_base_ = [
    '../_base_/models/byol_r50.py', '../_base_/datasets/images_coco128.py', '../_base_/schedules/adam_600i.py',
    '../_base_/pretext_runtime.py'
]
# the views of byol_r50_1xb64-350k_coco14-224x224
crop = dict(type='RandomResizedCrop', scale=96, crop_ratio_range=(0.08, 1.0))
flip = dict(type='RandomFlip', prob=0.5)
jitter = dict(type='mmssl.RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, prob=0.8)
grey = dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.2989))
blur = dict(type='GaussianBlur', magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=1.0)
solarize = dict(type='Solarize', thr=128, prob=0.2)
first_view = [crop, flip, jitter, grey, blur]
second_view = [crop, flip, jitter, grey, dict(blur, prob=0.1), solarize]
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='MultiView', num_views=[1, 1], transforms=[first_view, second_view]),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=32, collate_fn=dict(type='default_collate'), dataset=dict(pipeline=train_pipeline))
model = dict(
    base_momentum=0.02,  # the target follows sooner than in 350,000 iterations
    backbone=dict(depth=18),
    neck=dict(in_channels=512))
optim_wrapper = dict(clip_grad=dict(max_norm=0.1))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0, begin=0, end=1000, by_epoch=False)]
train_cfg = dict(max_iters=1000)
default_hooks = dict(checkpoint=dict(interval=500))
# There is nothing to evaluate: the next task tells.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
