# Procedural street scenes with CamVid's classes, 240x320, 192x256 crops: nothing on disk.
dataset_type = 'mmssl.StreetScenesDataset'
size = (240, 320)  # height, width
crop_size = (192, 256)
style = 'photo'

train_pipeline = [
    dict(type='mmssl.LoadStreetScene'),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadStreetScene'),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mmssl.InfiniteSampler', shuffle=True),
    dataset=dict(type=dataset_type, split='train', num_images=400, style=style, size=size, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type, split='val', num_images=100, style=style, size=size, test_mode=True, pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmssl.PerClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
