# DACS from street scenes in the look of a game to CamVid.
_base_ = ['./source_erfnet_1xb4-1200i_game-72x96_camvid.py', '../_base_/semi/dacs.py']
model = dict(_base_.semi, _delete_=True, segmentor=_base_.model, burn_in=360)
train_dataloader = dict(
    sampler=dict(type='mmssl.PairedInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        type='mmssl.PairedDataset',
        labeled=_base_.train_dataloader.dataset,
        unlabeled=_base_.unlabeled,
        overlap='content'))
val_cfg = dict(type='mmssl.StudentTeacherValLoop')
custom_hooks = [*_base_.custom_hooks, *_base_.semi_hooks]
