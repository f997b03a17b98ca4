# S3, section 4.6.3 and figures 4.8 to 4.10, from random weights: 50,000 iterations, one step at 32,000.
_base_ = 'mask-rcnn-random_r50-fpn_1xb8-100k_coco-20k-1333x800.py'
param_scheduler = [
    _base_.warm_up,
    dict(type='MultiStepLR', milestones=[32000], gamma=0.1, begin=0, end=50000, by_epoch=False),
]
train_cfg = dict(max_iters=50000)
