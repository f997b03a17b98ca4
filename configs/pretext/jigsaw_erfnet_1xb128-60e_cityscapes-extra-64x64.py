# Jigsaw, S0, section 3.2.3: Cityscapes extended.
_base_ = [
    '../_base_/models/erfnet_pretext_cls.py', '../_base_/datasets/images_cityscapes.py',
    '../_base_/schedules/adam_60e.py', '../_base_/pretext_runtime.py', '../_base_/starts/imagenet_cls.py'
]
# of each patch on its own; amounts: not in the thesis
jitter = dict(type='mmssl.RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmssl.RandomTranslate', max_shift=2),
    dict(type='RandomResizedCrop', scale=225, crop_ratio_range=(0.3, 1.0)),  # share: not in the thesis
    dict(type='mmssl.JigsawTarget', permutations=100, num_permutations=100, patch_transforms=[jitter]),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(225, 225)),
    dict(type='mmssl.JigsawTarget', permutations=100, num_permutations=100, seed=0),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=128, collate_fn=dict(type='default_collate'), dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(collate_fn=dict(type='default_collate'), dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=1)
test_evaluator = val_evaluator
model = dict(
    data_preprocessor=dict(_delete_=True, type='mmssl.PatchDataPreprocessor', to_rgb=True),
    head=dict(num_patches=9, hidden_channels=4096, num_classes=100))
