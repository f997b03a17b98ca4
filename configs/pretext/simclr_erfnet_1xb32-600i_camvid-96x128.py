# Small sibling of SimCLR (S0, section 3.2.7): CamVid's training images at 240x320, from random weights.
_base_ = [
    '../_base_/models/erfnet_simclr.py', '../_base_/datasets/images_camvid.py', '../_base_/schedules/adam_600i.py',
    '../_base_/pretext_runtime.py'
]
# strengths of SimCLR (Chen et al., 2020, appendix A); the thesis names the steps and their order
view = [
    dict(type='RandomResizedCrop', scale=(96, 128), aspect_ratio_range=(1.0, 1.8)),  # height, width
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.RandomColorJitter', brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, prob=0.8),
    dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.2989)),
    dict(type='GaussianBlur', magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=0.5),
]
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='MultiView', num_views=2, transforms=[view]),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=32, collate_fn=dict(type='default_collate'), dataset=dict(pipeline=train_pipeline))
# There is no question to answer on held-out images.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
model = dict(backbone=dict(dropout=(0.0, 0.0)))  # as in the small recipe of ERFNet
