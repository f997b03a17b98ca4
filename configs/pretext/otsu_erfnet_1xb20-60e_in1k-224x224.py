# Otsu clusters, S0, section 3.2.6: ImageNet's images.
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/images_in1k.py', '../_base_/schedules/adam_60e.py',
    '../_base_/default_runtime.py'
]
classes = 4
crop_size = (224, 224)  # height, width
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmpretrain.ResizeEdge', scale=256, edge='short'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.RandomTranslate', max_shift=2),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='mmssl.OtsuTarget', classes=classes),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='mmssl.OtsuTarget', classes=classes),
    dict(type='PackSegInputs'),
]
metainfo = dict(classes=('darkest', 'dark', 'bright', 'brightest'))
train_dataloader = dict(batch_size=20, dataset=dict(metainfo=metainfo, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(metainfo=metainfo, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmssl.PerClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
model = dict(
    data_preprocessor=dict(size=crop_size),
    decode_head=dict(num_classes=classes, loss_decode=dict(class_weight=None)))  # section 4.2: cross entropy
custom_hooks = [
    dict(type='mmssl.FoldNormHook'),
    dict(
        type='mmssl.WeightTransferHook',  # every task starts from ImageNet classification (section 5.1)
        rules=[dict(source='work_dirs/cls_erfnet_1xb128-90e_in1k-224x224', modules='backbone')]),
]
