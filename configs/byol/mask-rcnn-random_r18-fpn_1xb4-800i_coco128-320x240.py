# Small sibling of table 4.3 (S3), from random weights: 80 images of COCO to train on, 20 to validate, all 80 classes.
_base_ = '../_base_/mask_rcnn_small.py'
data_root = 'data/coco128/'
train_dataloader = dict(
    dataset=dict(
        data_root=data_root, ann_file='annotations/instances_train.json', data_prefix=dict(img='images/')))
val_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='annotations/instances_val.json', data_prefix=dict(img='images/')))
test_dataloader = val_dataloader
truth = data_root + 'annotations/instances_val.json'
val_evaluator = dict(ann_file=truth)
test_evaluator = [
    dict(type='CocoMetric', ann_file=truth, metric=['bbox', 'segm'], classwise=True),
    dict(type='mmssl.CutoutSimilarityMetric'),
]
optim_wrapper = dict(optimizer=dict(lr=0.015))  # 0.03 for batch 8, section 4.5
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, begin=0, end=50, by_epoch=False),
    # steps at 40% and 80%, section 4.5
    dict(type='MultiStepLR', milestones=[320, 640], gamma=0.1, begin=0, end=800, by_epoch=False),
]
train_cfg = dict(max_iters=800, val_interval=400)
default_hooks = dict(checkpoint=dict(interval=400))
