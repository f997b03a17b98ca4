# Small sibling of table 4.3 (S3), from random weights: 400 street scenes with masks of cars, pedestrians and
# bicyclists, 100 to validate, which tools/dataset_converters/street_scenes.py writes.
_base_ = 'mask-rcnn-random_r18-fpn_1xb4-800i_coco128-320x240.py'
data_root = 'data/streets/'
metainfo = dict(classes=('Car', 'Pedestrian', 'Bicyclist'))
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='train/')))
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='val/')))
test_dataloader = val_dataloader
truth = data_root + 'annotations/instances_val.json'
val_evaluator = dict(ann_file=truth)
test_evaluator = [
    dict(type='CocoMetric', ann_file=truth, metric=['bbox', 'segm'], classwise=True),
    dict(type='mmssl.CutoutSimilarityMetric'),
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=3), mask_head=dict(num_classes=3)))
