# Cityscapes extended (S0, section 5.1): the 2,975 training images and the 19,998 extra ones, without masks; 500 held
# out. The recipe gives the pipelines.
data_root = 'data/cityscapes/'
train_dataloader = dict(
    num_workers=16,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmssl.UnlabeledDataset',
        data_root=data_root,
        data_prefix=dict(img_path=['leftImg8bit/train', 'leftImg8bit/train_extra']),
        img_suffix='_leftImg8bit.png'))
val_dataloader = dict(
    batch_size=20,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmssl.UnlabeledDataset',
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/val'),
        img_suffix='_leftImg8bit.png',
        test_mode=True))
test_dataloader = val_dataloader
