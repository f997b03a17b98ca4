# BYOL on COCO 2014 without labels, from the classification of ImageNet, torchvision's weights: S3, sections 3.2 and
# 4.4, the MLP that the thesis chose (figure 4.2).
_base_ = [
    '../_base_/models/byol_r50.py', '../_base_/datasets/images_coco2014.py', '../_base_/schedules/adam_350k.py',
    '../_base_/pretext_runtime.py'
]
# Section 3.2.2: crop of 8% to 100% to 224x224, flip, brightness, contrast and saturation, grey with these weights, blur
# with sigma of 0.1 to 2.0 (Pillow's, which has no kernel of 23x23 pixels: that holds 5.5 sigma, so nothing is cut
# off), solarisation. The thesis has no strengths and probabilities: those of BYOL (Grill et al., 2020, table 6), whose
# two views differ in blur and solarisation and whose hue turns too. Flips are left to right, as there.
crop = dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.08, 1.0), interpolation='bicubic')
flip = dict(type='RandomFlip', prob=0.5)
jitter = dict(type='mmssl.RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, prob=0.8)
grey = dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.2989))  # of b, g, r
blur = dict(type='GaussianBlur', magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=1.0)
solarize = dict(type='Solarize', thr=128, prob=0.2)
first_view = [crop, flip, jitter, grey, blur]
second_view = [crop, flip, jitter, grey, dict(blur, prob=0.1), solarize]
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='MultiView', num_views=[1, 1], transforms=[first_view, second_view]),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=64, collate_fn=dict(type='default_collate'), dataset=dict(pipeline=train_pipeline))
model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')))
# There is nothing to evaluate: the next task tells.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
