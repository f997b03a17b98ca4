# CamVid (11 classes) at 96x128, whole images, for comparisons with several seeds on a CPU.
# Evaluation is at 360x480.
data_root = 'data/CamVid/'
scale = (128, 96)  # width, height
crop_size = (96, 128)  # height, width of what the network is trained on: the whole image

train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations'),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
unlabeled_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.PackUnlabeledInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=scale, keep_ratio=False),
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
        type='mmssl.CamVidDataset',
        data_root=data_root,
        data_prefix=dict(img_path='train/', seg_map_path='trainannot/'),
        pipeline=train_pipeline))
# The same images; a recipe gives both datasets their lists, ann_file.
unlabeled = dict(
    type='mmssl.UnlabeledDataset',
    data_root=data_root,
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
        data_root=data_root,
        data_prefix=dict(img_path='val/', seg_map_path='valannot/'),
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmssl.PerClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
