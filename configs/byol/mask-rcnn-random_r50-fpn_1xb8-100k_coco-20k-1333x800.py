# S3, section 4.5 and table 4.3, from random weights: learning rate 0.03, 100,000 iterations, steps at 40,000 and
# 80,000. The warm-up is detectron2's default, as are mmdet's momentum and weight decay; the thesis trained with it.
_base_ = '../_base_/mask_rcnn_coco20k.py'
optim_wrapper = dict(optimizer=dict(lr=0.03))
warm_up = dict(type='LinearLR', start_factor=0.001, begin=0, end=1000, by_epoch=False)
param_scheduler = [
    warm_up,
    dict(type='MultiStepLR', milestones=[40000, 80000], gamma=0.1, begin=0, end=100000, by_epoch=False),
]
