# S2, table 4.3: DACS from GTA5 to Cityscapes.
_base_ = ['./source_deeplabv2-r101_1xb2-250k_gta5-512x512_cityscapes.py', '../_base_/semi/dacs.py']
model = dict(_base_.semi, _delete_=True, segmentor=_base_.model)
train_dataloader = dict(
    sampler=dict(type='mmssl.PairedInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        type='mmssl.PairedDataset',
        labeled=_base_.train_dataloader.dataset,
        unlabeled=_base_.unlabeled,
        overlap='content'))  # both domains may number their images alike
val_cfg = dict(type='mmssl.StudentTeacherValLoop')
custom_hooks = _base_.semi_hooks
