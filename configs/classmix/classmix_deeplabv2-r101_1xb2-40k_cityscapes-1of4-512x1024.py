# S2, table 4.1, SSL with 1/4 (744 images) of the labels; the other images without theirs.
_base_ = ['./supervised_deeplabv2-r101_1xb2-40k_cityscapes-512x1024.py', '../_base_/semi/classmix.py']
model = dict(_base_.semi, _delete_=True, segmentor=_base_.model)
train_dataloader = dict(
    sampler=dict(type='mmssl.PairedInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        type='mmssl.PairedDataset',
        labeled=dict(_base_.train_dataloader.dataset, ann_file='splits/1of4-seed0/labeled.txt'),
        unlabeled=dict(_base_.unlabeled, ann_file='splits/1of4-seed0/unlabeled.txt')))
val_cfg = dict(type='mmssl.StudentTeacherValLoop')
custom_hooks = _base_.semi_hooks
