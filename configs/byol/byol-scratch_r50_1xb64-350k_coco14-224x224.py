# BYOL from random weights: S3 starts from ImageNet's, which converge sooner (section 3.2.4).
_base_ = 'byol_r50_1xb64-350k_coco14-224x224.py'
model = dict(backbone=dict(init_cfg=None))
