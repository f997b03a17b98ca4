# Colorization, S0, section 3.2.5: ImageNet's images. The amounts of the jitter are not in the thesis.
_base_ = [
    '../_base_/models/erfnet_colorization.py', '../_base_/datasets/images_in1k.py',
    '../_base_/schedules/adam_60e.py', '../_base_/default_runtime.py'
]
crop_size = (224, 224)  # height, width
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmpretrain.ResizeEdge', scale=256, edge='short'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.RandomTranslate', max_shift=2),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='mmssl.RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    dict(type='mmssl.ColorizationTarget'),
    dict(type='mmssl.PackPretextInputs', pixel_keys=('gt_ab',)),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='mmssl.ColorizationTarget'),
    dict(type='mmssl.PackPretextInputs', pixel_keys=('gt_ab',)),
]
train_dataloader = dict(batch_size=20, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmssl.ColorizationError')
test_evaluator = val_evaluator
model = dict(data_preprocessor=dict(size=crop_size))
custom_hooks = [
    dict(type='mmssl.FoldNormHook'),
    dict(
        type='mmssl.WeightTransferHook',  # every task starts from ImageNet classification (section 5.1)
        rules=[dict(source='work_dirs/cls_erfnet_1xb128-90e_in1k-224x224', modules='backbone')]),
]
