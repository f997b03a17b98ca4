# Small sibling of rotation (S0, section 3.2.2): CamVid's training images at 240x320, from random weights.
_base_ = [
    '../_base_/models/erfnet_pretext_cls.py', '../_base_/datasets/images_camvid.py',
    '../_base_/schedules/adam_600i.py', '../_base_/pretext_runtime.py'
]
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(320, 240)),
    dict(type='mmssl.RandomTranslate', max_shift=2),
    dict(type='RandomCrop', crop_size=192),
    dict(type='mmssl.RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    dict(type='mmssl.RotationTarget'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(320, 240)),
    dict(type='CenterCrop', crop_size=192),
    dict(type='mmssl.RotationTarget', seed=0),  # the same question at every epoch
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=16, collate_fn=dict(type='default_collate'), dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(collate_fn=dict(type='default_collate'), dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=1)
test_evaluator = val_evaluator
model = dict(
    backbone=dict(dropout=(0.0, 0.0)),  # as in the small recipe of ERFNet
    head=dict(num_classes=4))
