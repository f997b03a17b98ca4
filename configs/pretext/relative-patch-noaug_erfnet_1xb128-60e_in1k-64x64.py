# S0, table 5.6, without augmentation: the whole image is resized and cut.
_base_ = 'relative-patch_erfnet_1xb128-60e_in1k-64x64.py'
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(225, 225)),
    dict(type='mmssl.RelativePatchTarget'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
