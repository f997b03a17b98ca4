# Small sibling of table 4.3 (S3): from the classification of ImageNet, torchvision's weights, which are downloaded.
_base_ = 'mask-rcnn-random_r18-fpn_1xb4-800i_streets-320x240.py'
model = dict(backbone=dict(init_cfg=dict(_delete_=True, type='Pretrained', checkpoint='torchvision://resnet18')))
