# Pascal VOC 2012 with the masks of SBD (21 classes): 10,582 training and 1,449 validation images. S2, section 4.1.2:
# scaled by 0.5 to 1.5, random 321x321 crops, flipped with probability 0.5, 10 images a step. Where a crop is larger
# than the scaled image the data preprocessor pads it, and the labels there are ignored (section 3.4).
dataset_type = 'PascalVOCDataset'
data_root = 'data/VOCdevkit/VOC2012/'
num_classes = 21
scale = (500, 500)  # the longer side of nearly every image has 500 pixels, so that the ratio is the factor of the scale
crop_size = (321, 321)  # height, width

train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations', num_classes=num_classes),
    dict(type='RandomResize', scale=scale, ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
unlabeled_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='RandomResize', scale=scale, ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.PackUnlabeledInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations', num_classes=num_classes),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=10,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='mmssl.InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
        ann_file='ImageSets/Segmentation/trainaug.txt',
        pipeline=train_pipeline))
# The same images; a recipe gives both datasets their lists, ann_file. JPEGImages holds the validation images too.
unlabeled = dict(
    type='mmssl.UnlabeledDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages'),
    img_suffix='.jpg',
    ann_file='ImageSets/Segmentation/trainaug.txt',
    pipeline=unlabeled_pipeline)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt',
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmssl.PerClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
