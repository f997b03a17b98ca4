# ImageNet classification of ERFNet's encoder: the start of every row of S0, table 5.1. The thesis gives batch,
# optimiser and decay (section 4.2); epochs and crops are those of mmpretrain's ImageNet recipes.
_base_ = ['../_base_/models/erfnet_pretext_cls.py', '../_base_/schedules/adam_60e.py', '../_base_/pretext_runtime.py']
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='RandomResizedCrop', scale=224),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='ResizeEdge', scale=256, edge='short'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=16,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ImageNet', data_root='data/imagenet', split='train', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ImageNet', data_root='data/imagenet', split='val', pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
model = dict(head=dict(num_classes=1000))
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=90, by_epoch=True)]
train_cfg = dict(max_epochs=90)
