# Small sibling of Otsu clusters (S0, section 3.2.6): CamVid's training images at 240x320, from random weights.
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/images_camvid.py', '../_base_/schedules/adam_600i.py',
    '../_base_/default_runtime.py'
]
classes = 4
crop_size = (192, 256)  # height, width
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(320, 240)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.RandomTranslate', max_shift=2),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='mmssl.OtsuTarget', classes=classes),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(320, 240)),
    dict(type='mmssl.OtsuTarget', classes=classes),
    dict(type='PackSegInputs'),
]
metainfo = dict(classes=('darkest', 'dark', 'bright', 'brightest'))
train_dataloader = dict(batch_size=8, dataset=dict(metainfo=metainfo, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(metainfo=metainfo, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmssl.PerClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(dropout=(0.0, 0.0)),  # as in the small recipe of ERFNet
    decode_head=dict(num_classes=classes, loss_decode=dict(class_weight=None)))  # section 4.2: cross entropy
custom_hooks = [dict(type='mmssl.FoldNormHook')]
