# S0, table 5.6, without augmentation: two crops and nothing else; without the crops both views would be equal.
_base_ = 'simclr_erfnet_1xb128-60e_cityscapes-extra-256x512.py'
view = [dict(type='RandomResizedCrop', scale=(256, 512), aspect_ratio_range=(1.5, 2.7))]
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='MultiView', num_views=2, transforms=[view]),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
