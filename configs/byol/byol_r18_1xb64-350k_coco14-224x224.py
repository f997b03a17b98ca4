# BYOL with another backbone.
_base_ = 'byol_r50_1xb64-350k_coco14-224x224.py'
model = dict(
    backbone=dict(depth=18, init_cfg=dict(checkpoint='torchvision://resnet18')), neck=dict(in_channels=512))
