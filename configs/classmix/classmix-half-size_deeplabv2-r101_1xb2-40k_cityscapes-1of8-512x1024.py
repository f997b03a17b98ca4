# A quirk of the released code: it is evaluated on masks of half the size.
_base_ = './classmix_deeplabv2-r101_1xb2-40k_cityscapes-1of8-512x1024.py'
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations', num_classes=19),
    dict(type='Resize', scale=(1024, 512), keep_ratio=False),  # masks too: ours compares at 1024x2048
    dict(type='mmssl.EvaluateAtInputSize'),
    dict(type='PackSegInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
