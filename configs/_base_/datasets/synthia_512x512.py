# SYNTHIA as the labelled source domain (S2, section 4.1.3): images of 760x1280 as they are, random 512x512 crops, no
# flip, 2 images a step. Target and evaluation are those of gta5_512x512.py.
_base_ = './gta5_512x512.py'
data_root = 'data/synthia/'
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations'),
    dict(type='RandomCrop', crop_size=_base_.crop_size),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        type='mmssl.SynthiaDataset',
        data_root=data_root,
        data_prefix=dict(img_path='RGB', seg_map_path='GT/LABELS'),
        pipeline=train_pipeline))

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
