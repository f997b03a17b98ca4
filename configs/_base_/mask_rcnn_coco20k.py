# Mask R-CNN R50-FPN on 20,000 images of COCO 2017, 5,000 to validate and 5,000 to test (S3, sections 4.2 and 4.5), by
# iterations. It is mmdet's with everything trained: its frozen first stage and fixed norms, detectron2's defaults too,
# are for weights of ImageNet's classification, and the thesis compares those with others in one recipe. The parts come
# from train2017, drawn by tools/dataset_converters/coco_subset.py.
_base_ = 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'
custom_imports = dict(imports=['mmssl.registry'], allow_failed_imports=False)
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    backbone=dict(frozen_stages=-1, norm_cfg=norm_cfg, norm_eval=False, init_cfg=None),
    # as mmdet's; they log the curves of section 4.6.3 too
    roi_head=dict(
        bbox_head=dict(type='mmssl.Shared2FCBBoxHeadWithRates'), mask_head=dict(type='mmssl.FCNMaskHeadWithRates')))
# mmdet's, but for the loading: a bad image is told in one line
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    # after the resizing, so that the truth keeps the size of the image
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
annotations = 'annotations/subset/'
train_dataloader = dict(
    batch_size=8,  # section 4.5
    num_workers=4,
    sampler=dict(_delete_=True, type='mmssl.InfiniteSampler', shuffle=True),
    batch_sampler=dict(type='mmssl.AspectRatioBatchSampler'),
    dataset=dict(ann_file=annotations + 'instances_train.json', pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=4,
    dataset=dict(
        ann_file=annotations + 'instances_val.json', data_prefix=dict(img='train2017/'), pipeline=test_pipeline))
test_dataloader = dict(
    num_workers=4,
    dataset=dict(
        ann_file=annotations + 'instances_test.json', data_prefix=dict(img='train2017/'), pipeline=test_pipeline))
# classwise: figure 4.7, coco/person_precision and so on; of the two metrics the masks come last and stay
val_evaluator = dict(ann_file='data/coco/' + annotations + 'instances_val.json', classwise=True)
test_evaluator = [
    dict(
        type='CocoMetric',
        ann_file='data/coco/' + annotations + 'instances_test.json',
        metric=['bbox', 'segm'],
        classwise=True),
    dict(type='mmssl.CutoutSimilarityMetric'),  # section 4.3.3
]
train_cfg = dict(_delete_=True, type='mmssl.ResumableIterBasedTrainLoop', max_iters=100000, val_interval=5000)
default_hooks = dict(
    logger=dict(interval=50, log_metric_by_epoch=False),
    checkpoint=dict(type='mmssl.AtomicCheckpointHook', by_epoch=False, interval=5000, max_keep_ckpts=3),
    resume_check=dict(type='mmssl.ResumeCheckHook'),
    preemption=dict(type='mmssl.PreemptionHook'),
    non_finite_loss=dict(type='mmssl.NonFiniteLossHook'))
# Losses and rates are logged as means of 50 iterations.
log_processor = dict(
    by_epoch=False, window_size=50, mean_pattern='.*(loss|time|data_time|grad_norm|fast_rcnn|mask_rcnn).*')
randomness = dict(seed=0)
auto_scale_lr = dict(base_batch_size=8)
