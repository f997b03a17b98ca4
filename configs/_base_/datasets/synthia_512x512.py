# SYNTHIA as the labelled source domain (S2, section 4.1.3): images of 760x1280 as they are, random 512x512 crops,
# no flip, 2 images a step.
# The unlabelled domain is Cityscapes' training split, halved to 512x1024, with crops of the same size; evaluation is on
# its validation split with inputs of 512x1024 and masks of the full 1024x2048.
data_root = 'data/synthia/'
target_root = 'data/cityscapes/'
num_classes = 19
target_scale = (1024, 512)  # width, height
crop_size = (512, 512)  # height, width

train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations'),
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
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmssl.SynthiaDataset',
        data_root=data_root,
        data_prefix=dict(img_path='RGB', seg_map_path='GT/LABELS'),
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

# S2, table 4.4: means over the 16 classes that SYNTHIA has, and over those without wall, fence and pole. All 19 are
# compared first, so that pixels of terrain, truck and train stay in the unions (section 4.4).
# They are SYNTHIA_16 and SYNTHIA_13 of mmssl/datasets/synthia.py.
synthia_16 = [
    'road', 'sidewalk', 'building', 'wall', 'fence', 'pole', 'traffic light', 'traffic sign', 'vegetation', 'sky',
    'person', 'rider', 'car', 'bus', 'motorcycle', 'bicycle'
]
synthia_13 = [
    'road', 'sidewalk', 'building', 'traffic light', 'traffic sign', 'vegetation', 'sky', 'person', 'rider', 'car',
    'bus', 'motorcycle', 'bicycle'
]
val_evaluator = dict(
    type='mmssl.PerClassIoUMetric',
    iou_metrics=['mIoU'],
    class_subsets=dict(mIoU16=synthia_16, mIoU13=synthia_13))
test_evaluator = val_evaluator
