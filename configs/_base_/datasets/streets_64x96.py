# Procedural street scenes, whole images of 64x96, for a comparison in minutes: 400 scenes to learn from, of which a
# recipe takes the masks of a few. The classes are the six of CamVid's that are wider than a pixel or two at this size;
# the others are ignored.
dataset_type = 'mmssl.StreetScenesDataset'
size = (64, 96)  # height, width
crop_size = size
style = 'game'
metainfo = dict(classes=('Sky', 'Building', 'Road', 'Pavement', 'Tree', 'Car'))

train_pipeline = [
    dict(type='mmssl.LoadStreetScene'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
unlabeled_pipeline = [
    dict(type='mmssl.LoadStreetScene'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.PackUnlabeledInputs'),  # leaves the mask out, which a renderer always makes
]
test_pipeline = [
    dict(type='mmssl.LoadStreetScene'),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='mmssl.InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        split='train',
        num_images=400,
        style=style,
        size=size,
        metainfo=metainfo,
        pipeline=train_pipeline))
unlabeled = dict(
    type=dataset_type,
    split='train',
    num_images=400,
    style=style,
    size=size,
    metainfo=metainfo,
    pipeline=unlabeled_pipeline)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        split='val',
        num_images=100,
        style=style,
        size=size,
        metainfo=metainfo,
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmssl.PerClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
