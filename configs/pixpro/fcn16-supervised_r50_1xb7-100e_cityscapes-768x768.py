# S1, table 4.3: from the classification of ImageNet, torchvision's weights.
_base_ = 'fcn16-random_r50_1xb7-100e_cityscapes-768x768.py'
model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')))
