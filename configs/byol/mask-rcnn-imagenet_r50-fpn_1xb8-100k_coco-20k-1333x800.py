# S3, table 4.3: from the classification of ImageNet, torchvision's weights.
_base_ = 'mask-rcnn-random_r50-fpn_1xb8-100k_coco-20k-1333x800.py'
model = dict(backbone=dict(init_cfg=dict(_delete_=True, type='Pretrained', checkpoint='torchvision://resnet50')))
