# From procedural street scenes in the look of a game, labelled, to CamVid without masks; evaluation is on CamVid's
# validation images at 360x480.
size = (72, 96)  # height, width
crop_size = size
target_root = 'data/CamVid/'
target_scale = (96, 72)  # width, height

train_pipeline = [
    dict(type='mmssl.LoadStreetScene'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
unlabeled_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=target_scale, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.PackUnlabeledInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=target_scale, keep_ratio=False),
    # after Resize: the mask keeps its size, and the prediction is enlarged to it
    dict(type='mmssl.LoadSegAnnotations'),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='mmssl.InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmssl.StreetScenesDataset',
        split='train',
        num_images=400,
        style='game',
        size=size,
        pipeline=train_pipeline))
unlabeled = dict(
    type='mmssl.UnlabeledDataset',
    data_root=target_root,
    data_prefix=dict(img_path='train/'),
    img_suffix='.png',
    pipeline=unlabeled_pipeline)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmssl.CamVidDataset',
        data_root=target_root,
        data_prefix=dict(img_path='val/', seg_map_path='valannot/'),
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmssl.PerClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
