# As cityscapes_plain_512x1024.py, trained on random 512x512 crops of the 512x1024 images (S2, section 5.2.1).
_base_ = './cityscapes_plain_512x1024.py'
crop_size = (512, 512)  # height, width

train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations', num_classes={{_base_.num_classes}}),
    dict(type='Resize', scale={{_base_.scale}}, keep_ratio=False),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='PackSegInputs'),
]
unlabeled_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale={{_base_.scale}}, keep_ratio=False),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='mmssl.PackUnlabeledInputs'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
unlabeled = dict(pipeline=unlabeled_pipeline)
