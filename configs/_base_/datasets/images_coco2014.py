# COCO's 82,783 training images of 2014 without their annotations (S3, section 4.2). The recipe gives the pipeline.
data_root = 'data/coco2014/'
train_dataloader = dict(
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='mmssl.InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmssl.UnlabeledDataset', data_root=data_root, data_prefix=dict(img_path='train2014'), img_suffix='.jpg'))
