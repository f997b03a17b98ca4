# The small comparison: CamVid with 46 masks, and the other 321 images without theirs.
_base_ = ['./supervised_erfnet_1xb4-1000i_camvid-1of8-96x128.py', '../_base_/semi/classmix_small.py']
model = dict(
    _base_.semi,
    _delete_=True,
    segmentor=_base_.model,
    burn_in=400)  # ours: from random weights the first predictions teach nothing
train_dataloader = dict(
    sampler=dict(type='mmssl.PairedInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        type='mmssl.PairedDataset',
        labeled=_base_.train_dataloader.dataset,
        unlabeled=dict(
            _base_.unlabeled, ann_file='{{fileDirname}}/../_base_/splits/camvid/1of8-seed0/unlabeled.txt')))
val_cfg = dict(type='mmssl.StudentTeacherValLoop')
custom_hooks = [*_base_.custom_hooks, *_base_.semi_hooks]
