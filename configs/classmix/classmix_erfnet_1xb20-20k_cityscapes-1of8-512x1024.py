# ERFNet on Cityscapes with 1/8 of the labels: the optimiser of S0, the method of S2.
_base_ = [
    '../_base_/models/erfnet.py', '../_base_/datasets/cityscapes_plain_512x1024.py', '../_base_/schedules/adam_600i.py',
    '../_base_/default_runtime.py', '../_base_/semi/classmix.py'
]
model = dict(
    _base_.semi,
    _delete_=True,
    segmentor=dict(_base_.model, data_preprocessor=dict(_base_.model.data_preprocessor, size=_base_.crop_size)))
train_dataloader = dict(
    batch_size=20,
    num_workers=8,
    sampler=dict(type='mmssl.PairedInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        type='mmssl.PairedDataset',
        labeled=dict(_base_.train_dataloader.dataset, ann_file='splits/1of8-seed0/labeled.txt'),
        unlabeled=dict(_base_.unlabeled, ann_file='splits/1of8-seed0/unlabeled.txt')))
train_cfg = dict(max_iters=20000, val_interval=2000)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=20000, by_epoch=False)]
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=2000))
val_cfg = dict(type='mmssl.StudentTeacherValLoop')
custom_hooks = [*_base_.custom_hooks, *_base_.semi_hooks]
