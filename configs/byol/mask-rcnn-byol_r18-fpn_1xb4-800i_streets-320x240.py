# Small sibling of table 4.3 (S3): from byol_r18_1xb32-1000i_streets-96x96, its online encoder.
_base_ = 'mask-rcnn-random_r18-fpn_1xb4-800i_streets-320x240.py'
rule = dict(source='work_dirs/byol_r18_1xb32-1000i_streets-96x96', modules='backbone')
custom_hooks = [dict(type='mmssl.WeightTransferHook', rules=[rule])]
