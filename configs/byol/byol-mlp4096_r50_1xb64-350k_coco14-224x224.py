# BYOL with its original MLP of 4096 hidden numbers, 68,024,448 parameters, with which S3 compares (figure 4.2).
_base_ = 'byol_r50_1xb64-350k_coco14-224x224.py'
model = dict(neck=dict(hid_channels=4096), head=dict(predictor=dict(hid_channels=4096)))
