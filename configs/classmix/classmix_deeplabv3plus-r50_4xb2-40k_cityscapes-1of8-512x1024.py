# A recipe of the model zoo made semi-supervised: its model, schedule and labelled pipeline, 1/8 of the labels.
_base_ = [
    'mmseg::deeplabv3plus/deeplabv3plus_r50-d8_4xb2-40k_cityscapes-512x1024.py',
    '../_base_/semi/classmix.py',
    '../_base_/reliable.py',
]
# The loading is ours: mmseg's lets ids without a class through, and its metric drops them in silence.
loading = [dict(type='mmssl.LoadImage'), dict(type='mmssl.LoadSegAnnotations', num_classes=19)]
train_pipeline = loading + _base_.train_pipeline[2:]
test_pipeline = [loading[0], _base_.test_pipeline[1], loading[1], _base_.test_pipeline[3]]
split = 'splits/1of8-seed0'
unlabeled_pipeline = [  # the recipe's own, without what changes colours
    loading[0],
    dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(512, 1024)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.PackUnlabeledInputs'),
]
model = dict(_base_.semi, _delete_=True, segmentor=_base_.model)
train_dataloader = dict(
    sampler=dict(type='mmssl.PairedInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        type='mmssl.PairedDataset',
        labeled=dict(_base_.train_dataloader.dataset, pipeline=train_pipeline, ann_file=split + '/labeled.txt'),
        unlabeled=dict(
            type='mmssl.UnlabeledDataset',
            data_root='data/cityscapes/',
            data_prefix=dict(img_path='leftImg8bit/train'),
            img_suffix='_leftImg8bit.png',
            ann_file=split + '/unlabeled.txt',
            pipeline=unlabeled_pipeline)))
val_dataloader = dict(dataset=dict(test_mode=True, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmssl.PerClassIoUMetric')
test_evaluator = val_evaluator
train_cfg = dict(type='mmssl.ResumableIterBasedTrainLoop')
val_cfg = dict(type='mmssl.StudentTeacherValLoop')
default_hooks = _base_.reliable_hooks
custom_hooks = _base_.semi_hooks
