# S0, table 5.6, without augmentation: the image is resized only.
_base_ = 'otsu_erfnet_1xb20-60e_in1k-224x224.py'
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='mmssl.OtsuTarget', classes=4),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
