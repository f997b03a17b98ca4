# Small sibling of PixPro (S1, tables 4.1 and 4.2, baseline): CamVid's training images without their masks, ERFNet's
# encoder from random weights, maps of 12x12.
_base_ = [
    '../_base_/models/pixpro_erfnet.py', '../_base_/datasets/images_camvid.py', '../_base_/schedules/adam_600i.py',
    '../_base_/pretext_runtime.py'
]
# strengths as in the released code of PixPro
jitter = dict(type='mmssl.RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, prob=0.8)
blur = dict(type='GaussianBlur', magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=0.5)
views = dict(type='mmssl.PixelViews', scale=96, transforms=[[jitter, blur], [jitter, blur]])
train_pipeline = [dict(type='mmssl.LoadImage'), views, dict(type='mmssl.PackPixelViews')]
train_dataloader = dict(batch_size=16, collate_fn=dict(type='default_collate'), dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # Adam, as the next task; LARS is for large batches
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0, begin=0, end=1500, by_epoch=False)]
train_cfg = dict(max_iters=1500)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=500))
# There is nothing to evaluate: the next task tells.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
