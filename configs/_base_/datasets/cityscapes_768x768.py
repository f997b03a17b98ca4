# Cityscapes (19 classes) as S1, section 4.1.3, has it: random scaling by 0.5 to 2, crops of 768x768, random flips.
# Evaluation is of whole images at their 1024x2048, as MoCo's, which the thesis follows. The masks are the
# *_gtFine_labelTrainIds.png that mmseg's converter makes: docs/data.md.
dataset_type = 'CityscapesDataset'
data_root = 'data/cityscapes/'
num_classes = 19
crop_size = (768, 768)  # height, width; a smaller image is padded to it

train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations', num_classes=num_classes),
    dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations', num_classes=num_classes),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=7,  # S1, section 4.1.3
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmssl.PerClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
