# The first 128 images of COCO train2017 without annotations, of which 28 have none. The recipe gives the pipeline.
data_root = 'data/coco128/'
train_dataloader = dict(
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='mmssl.InfiniteSampler', shuffle=True),
    dataset=dict(type='mmssl.UnlabeledDataset', data_root=data_root, data_prefix=dict(img_path='images')))
