# The 19,998 extra images of Cityscapes at half resolution, without masks: for pretext tasks, and as the unlabelled
# half of semi-supervised training. The coarse masks that exist for them are not looked for.
dataset_type = 'mmssl.UnlabeledDataset'
data_root = 'data/cityscapes/'
crop_size = (512, 1024)  # height, width of what the network is trained on: the whole image

train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='Resize', scale=(1024, 512), keep_ratio=False),  # width, height
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=20,  # S0, section 4.2
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/train_extra'),
        img_suffix='_leftImg8bit.png',
        pipeline=train_pipeline))
