# Mask R-CNN on COCO from the final method of S1, with mmdet's 1x schedule and data. mmdet's defaults, a frozen first
# stage and fixed norms, are for weights of ImageNet's classification; as mmpretrain's benchmark of BYOL has it
# (byol/benchmarks/mask-rcnn_r50_fpn_ms-1x_coco.py), all is trained, with synchronised norms in FPN and heads too.
_base_ = ['mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', '../_base_/reliable.py']
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    backbone=dict(frozen_stages=-1, norm_cfg=norm_cfg, norm_eval=False, init_cfg=None),
    neck=dict(norm_cfg=norm_cfg),
    roi_head=dict(
        bbox_head=dict(type='Shared4Conv1FCBBoxHead', norm_cfg=norm_cfg), mask_head=dict(norm_cfg=norm_cfg)))
# mmdet's, but for the loading: a bad image is told in one line
train_pipeline = [dict(type='mmssl.LoadImage')] + _base_.train_pipeline[1:]
test_pipeline = [dict(type='mmssl.LoadImage')] + _base_.test_pipeline[1:]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
rule = dict(
    source='work_dirs/pixpro-final_r50_4xb16-100e_in1k-224x224', modules='backbone', source_modules='student.backbone')
custom_hooks = [dict(type='mmssl.WeightTransferHook', rules=[rule])]
train_cfg = dict(type='mmssl.ResumableEpochBasedTrainLoop')
default_hooks = _base_.reliable_hooks
