# S3, section 4.6.3: from byol_r50_1xb64-350k_coco14-224x224, its online encoder.
_base_ = 'mask-rcnn-random_r50-fpn_1xb8-50k_coco-20k-1333x800.py'
rule = dict(source='work_dirs/byol_r50_1xb64-350k_coco14-224x224', modules='backbone')
custom_hooks = [dict(type='mmssl.WeightTransferHook', rules=[rule])]
