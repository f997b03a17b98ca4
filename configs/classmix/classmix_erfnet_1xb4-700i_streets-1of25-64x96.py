# The quick start: the same 16 masks, and the other 384 scenes without theirs.
_base_ = ['./supervised_erfnet_1xb4-700i_streets-1of25-64x96.py', '../_base_/semi/classmix_small.py']
model = dict(
    _base_.semi,
    _delete_=True,
    segmentor=_base_.model,
    weighting=dict(type='mmssl.ConstantWeighting'),  # soft targets say themselves what is unsure
    burn_in=240)  # ours: from random weights the first predictions teach nothing
train_dataloader = dict(
    sampler=dict(type='mmssl.PairedInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        type='mmssl.PairedDataset',
        labeled=_base_.train_dataloader.dataset,
        unlabeled=dict(
            _base_.unlabeled, ann_file='{{fileDirname}}/../_base_/splits/streets/1of25-seed0/unlabeled.txt')))
val_cfg = dict(type='mmssl.StudentTeacherValLoop')
custom_hooks = [*_base_.custom_hooks, *_base_.semi_hooks]
