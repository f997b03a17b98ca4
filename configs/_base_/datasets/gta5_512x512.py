# GTA5 as the labelled source domain (S2, section 4.1.3): images of 1052x1914 resized to 760x1280 (the released code
# takes 720x1280), random 512x512 crops, no flip, 2 images a step.
# The unlabelled domain is Cityscapes' training split, halved to 512x1024, with crops of the same size; evaluation is on
# its validation split with inputs of 512x1024 and masks of the full 1024x2048.
data_root = 'data/gta5/'
target_root = 'data/cityscapes/'
num_classes = 19
scale = (1280, 760)  # width, height
target_scale = (1024, 512)  # width, height
crop_size = (512, 512)  # height, width

train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations'),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='PackSegInputs'),
]
unlabeled_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=target_scale, keep_ratio=False),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='mmssl.PackUnlabeledInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=target_scale, keep_ratio=False),
    # after Resize: the mask keeps its size, and the prediction is enlarged to it
    dict(type='mmssl.LoadSegAnnotations', num_classes=num_classes),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='mmssl.InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmssl.GTA5Dataset',
        data_root=data_root,
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        pipeline=train_pipeline))
unlabeled = dict(
    type='mmssl.UnlabeledDataset',
    data_root=target_root,
    data_prefix=dict(img_path='leftImg8bit/train'),
    img_suffix='_leftImg8bit.png',
    pipeline=unlabeled_pipeline)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CityscapesDataset',
        data_root=target_root,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmssl.PerClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
