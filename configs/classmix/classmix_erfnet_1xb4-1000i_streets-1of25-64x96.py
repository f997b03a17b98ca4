# The quick start: the same 16 masks, and the other 384 scenes without theirs.
_base_ = ['./supervised_erfnet_1xb4-1000i_streets-1of25-64x96.py', '../_base_/semi/classmix.py']
model = dict(
    _base_.semi,
    _delete_=True,
    segmentor=_base_.model,
    burn_in=300,  # ours: from random weights the first predictions teach nothing
    distribution_alignment=dict(target='labeled'),  # section 2.5.6; without it small classes fade
    # without blur and hue: the thesis's blur is for images five to eight times as large, and a hue turned by up to a
    # quarter leaves little of the few pixels of a class
    augmentations=[
        dict(
            type='mmssl.BatchColorJitter',
            brightness=0.4,
            contrast=0.4,
            saturation=0.4,
            hue=0.0,
            prob=0.8,
            per='image')
    ])
train_dataloader = dict(
    sampler=dict(type='mmssl.PairedInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        type='mmssl.PairedDataset',
        labeled=_base_.train_dataloader.dataset,
        unlabeled=dict(
            _base_.unlabeled, ann_file='{{fileDirname}}/../_base_/splits/streets/1of25-seed0/unlabeled.txt')))
val_cfg = dict(type='mmssl.StudentTeacherValLoop')
custom_hooks = [*_base_.custom_hooks, dict(type='mmssl.ClassShareHook'), *_base_.semi_hooks]
