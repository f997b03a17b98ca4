# S0, table 5.6, without augmentation: the image is resized only.
_base_ = 'otsu_erfnet_1xb20-60e_cityscapes-extra-448x896.py'
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(1024, 512)),
    dict(type='mmssl.OtsuTarget', classes=4),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(data_preprocessor=dict(size=(512, 1024)))
