# PixPro on ImageNet, S1, tables 4.1 and 4.2, baseline: batch 64 and 30 epochs (section 4.1.2). The thesis trained on
# three GPUs, which do not divide 64.
_base_ = [
    '../_base_/models/pixpro_r50.py', '../_base_/datasets/images_in1k.py', '../_base_/schedules/lars_30e.py',
    '../_base_/pretext_runtime.py'
]
# Section 3.3: crop, flip, colours of 80% of the views, blur. The thesis gives no strengths: those of the released code,
# which blurs all first views and a tenth of the second ones. It has random greys and solarisation too, the thesis not.
jitter = dict(type='mmssl.RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, prob=0.8)
blur = dict(type='GaussianBlur', magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=1.0)
views = dict(type='mmssl.PixelViews', scale=224, transforms=[[jitter, blur], [jitter, dict(blur, prob=0.1)]])
train_pipeline = [dict(type='mmssl.LoadImage'), views, dict(type='mmssl.PackPixelViews')]
train_dataloader = dict(
    batch_size=64,
    drop_last=True,  # as in the released code: the last batch of an epoch would hold 15 images
    collate_fn=dict(type='default_collate'),
    dataset=dict(pipeline=train_pipeline))
log_processor = dict(by_epoch=True)
# There is nothing to evaluate: the next task tells.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
