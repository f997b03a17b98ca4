# S0, table 5.6, without augmentation: the whole image is resized and cut.
_base_ = 'jigsaw_erfnet_1xb128-60e_cityscapes-extra-64x64.py'
train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(225, 225)),
    dict(type='mmssl.JigsawTarget', permutations=100, num_permutations=100),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
