# CamVid's images without their masks: 367 to train on, 101 held out. The recipe gives the pipelines.
data_root = 'data/CamVid/'
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mmssl.InfiniteSampler', shuffle=True),
    dataset=dict(type='mmssl.UnlabeledDataset', data_root=data_root, data_prefix=dict(img_path='train/')))
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmssl.UnlabeledDataset', data_root=data_root, data_prefix=dict(img_path='val/'), test_mode=True))
test_dataloader = val_dataloader
