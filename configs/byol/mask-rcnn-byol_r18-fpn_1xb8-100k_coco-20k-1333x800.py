# Mask R-CNN with another backbone.
_base_ = 'mask-rcnn-random_r50-fpn_1xb8-100k_coco-20k-1333x800.py'
model = dict(backbone=dict(depth=18), neck=dict(in_channels=[64, 128, 256, 512]))
rule = dict(source='work_dirs/byol_r18_1xb64-350k_coco14-224x224', modules='backbone')
custom_hooks = [dict(type='mmssl.WeightTransferHook', rules=[rule])]
