# CamVid (11 classes) at the size of the SegNet tutorial, whole images: the thesis's setting (S0, chapter 4).
dataset_type = 'mmssl.CamVidDataset'
data_root = 'data/CamVid/'
crop_size = (360, 480)  # height, width of what the network is trained on: the whole image

train_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='mmssl.LoadImage'),
    dict(type='mmssl.LoadSegAnnotations'),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=20,  # S0, section 4.2
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='train/', seg_map_path='trainannot/'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='val/', seg_map_path='valannot/'),
        test_mode=True,
        pipeline=test_pipeline))
# The 233 test images: data_prefix=dict(img_path='test/', seg_map_path='testannot/').
test_dataloader = val_dataloader

val_evaluator = dict(type='mmssl.PerClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
