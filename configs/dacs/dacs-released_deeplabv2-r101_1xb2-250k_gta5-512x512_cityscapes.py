# Everything as the released code has it: what table 4.3 was most likely made with.
_base_ = './dacs_deeplabv2-r101_1xb2-250k_gta5-512x512_cityscapes.py'
model = dict(
    segmentor=dict(decode_head=dict(dilations=(6, 12))),
    mixing=dict(ignore_as_class=True),
    teacher=dict(buffers='own', mode='train'),
    loss_unlabeled=dict(type='mmssl.ConsistencyCrossEntropyLoss', average='all'),
    augmentations=[
        dict(type='mmssl.BatchColorJitter', prob=0.8),
        dict(type='mmssl.BatchGaussianBlur', prob=0.5),
    ])
source_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations'),
    dict(type='Resize', scale=(1280, 720), keep_ratio=False),  # thesis: 1280x760
    dict(type='RandomCrop', crop_size=(512, 512)),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(labeled=dict(pipeline=source_pipeline)))
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations', num_classes=19),
    dict(type='Resize', scale=(1024, 512), keep_ratio=False),  # masks too: ours compares at 1024x2048
    dict(type='mmssl.EvaluateAtInputSize'),
    dict(type='PackSegInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
