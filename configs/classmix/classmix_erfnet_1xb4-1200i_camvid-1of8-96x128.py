# The small comparison: CamVid with 46 masks, and the other 321 images without theirs.
_base_ = ['./supervised_erfnet_1xb4-1200i_camvid-1of8-96x128.py', '../_base_/semi/classmix.py']
model = dict(
    _base_.semi,
    _delete_=True,
    segmentor=_base_.model,
    burn_in=400,  # ours: from random weights the first predictions teach nothing
    distribution_alignment=dict(target='labeled'),  # section 2.5.6; without it small classes fade
    augmentations=[dict(type='mmssl.BatchColorJitter', prob=0.8), dict(type='mmssl.BatchGaussianBlur', prob=0.5)])
train_dataloader = dict(
    sampler=dict(type='mmssl.PairedInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        type='mmssl.PairedDataset',
        labeled=_base_.train_dataloader.dataset,
        unlabeled=dict(
            _base_.unlabeled, ann_file='{{fileDirname}}/../_base_/splits/camvid/1of8-seed0/unlabeled.txt')))
val_cfg = dict(type='mmssl.StudentTeacherValLoop')
custom_hooks = [*_base_.custom_hooks, dict(type='mmssl.ClassShareHook'), *_base_.semi_hooks]
