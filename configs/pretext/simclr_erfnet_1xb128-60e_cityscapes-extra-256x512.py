# SimCLR, S0, section 3.2.7: Cityscapes extended.
_base_ = [
    '../_base_/models/erfnet_simclr.py', '../_base_/datasets/images_cityscapes.py',
    '../_base_/schedules/adam_60e.py', '../_base_/pretext_runtime.py', '../_base_/starts/imagenet_cls.py'
]
# strengths of SimCLR (Chen et al., 2020, appendix A); the thesis names the steps and their order
view = [
    dict(type='RandomResizedCrop', scale=(256, 512), aspect_ratio_range=(1.5, 2.7)),  # height, width
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
train_dataloader = dict(batch_size=128, collate_fn=dict(type='default_collate'), dataset=dict(pipeline=train_pipeline))
# There is no question to answer on held-out images.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
