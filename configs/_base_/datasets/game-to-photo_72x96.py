# Two domains of procedural street scenes: labelled scenes in the look of a game, unlabelled ones in that of a camera.
# Both styles of one seed show the same streets, so the domains have two seeds. Evaluation is on the target.
dataset_type = 'mmssl.StreetScenesDataset'
size = (72, 96)  # height, width
crop_size = size

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
        type=dataset_type, split='train', num_images=400, seed=0, style='game', size=size, pipeline=train_pipeline))
unlabeled = dict(
    type=dataset_type, split='train', num_images=400, seed=1, style='photo', size=size, pipeline=unlabeled_pipeline)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        split='val',
        num_images=100,
        seed=1,
        style='photo',
        size=size,
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmssl.PerClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
