# Pretext heads beside ClassMix: 46 masks; ClassMix's pairs and all four pretext tasks in the same steps.
_base_ = ['./joint-all_erfnet_1xb4-1000i_camvid-1of8-96x128.py', '../_base_/semi/classmix_small.py']
model = dict(
    segmentor=dict(
        _base_.semi,
        _delete_=True,
        segmentor=_base_.model.segmentor,
        burn_in=400))  # as ClassMix's own small recipe
train_dataloader = dict(
    dataset=dict(
        segmentation=dict(
            _delete_=True,
            type='mmssl.PairedDataset',
            labeled=_base_.train_dataloader.dataset.segmentation,
            unlabeled=dict(
                _base_.unlabeled, ann_file='{{fileDirname}}/../_base_/splits/camvid/1of8-seed0/unlabeled.txt'))))
val_cfg = dict(type='mmssl.StudentTeacherValLoop')
custom_hooks = [*_base_.custom_hooks, *_base_.semi_hooks]
