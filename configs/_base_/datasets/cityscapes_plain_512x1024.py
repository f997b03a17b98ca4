# Cityscapes (19 classes) as S2, section 4.1.2, has it: halved to 512x1024, whole images, no augmentation, 2 labelled
# and 2 unlabelled images a step. Evaluation is at the full 1024x2048; the released code evaluates at 512x1024, which
# mmssl.EvaluateAtInputSize does when it follows LoadSegAnnotations and Resize in the test pipeline.
dataset_type = 'CityscapesDataset'
data_root = 'data/cityscapes/'
num_classes = 19
scale = (1024, 512)  # width, height
crop_size = (512, 1024)  # height, width of what the network is trained on: the whole image

train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations', num_classes=num_classes),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='PackSegInputs'),
]
unlabeled_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='mmssl.PackUnlabeledInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=scale, keep_ratio=False),
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
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
        pipeline=train_pipeline))
# The same images; a recipe gives both datasets their lists, ann_file.
unlabeled = dict(
    type='mmssl.UnlabeledDataset',
    data_root=data_root,
    data_prefix=dict(img_path='leftImg8bit/train'),
    img_suffix='_leftImg8bit.png',
    pipeline=unlabeled_pipeline)
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
