# The shorter of the two trainings of S3, section 4.4.
_base_ = 'byol_r50_1xb64-350k_coco14-224x224.py'
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0, begin=0, end=250000, by_epoch=False)]
train_cfg = dict(max_iters=250000)
