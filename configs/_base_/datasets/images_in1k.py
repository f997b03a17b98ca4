# ImageNet-1k's images without their classes: 1,281,167 to train on, 50,000 held out. The recipe gives the pipelines.
data_root = 'data/imagenet/'
train_dataloader = dict(
    num_workers=16,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmssl.UnlabeledDataset', data_root=data_root, data_prefix=dict(img_path='train'), img_suffix='.JPEG'))
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmssl.UnlabeledDataset',
        data_root=data_root,
        data_prefix=dict(img_path='val'),
        img_suffix='.JPEG',
        test_mode=True))
test_dataloader = val_dataloader
