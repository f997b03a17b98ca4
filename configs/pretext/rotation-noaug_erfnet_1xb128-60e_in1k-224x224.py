# S0, table 5.6, without augmentation: the image is resized and rotated.
_base_ = 'rotation_erfnet_1xb128-60e_in1k-224x224.py'
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='mmssl.RotationTarget'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='mmssl.RotationTarget', seed=0),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
