# Pretext heads beside ClassMix: 46 masks; ClassMix's pairs and all four pretext tasks in the same steps.
_base_ = [
    '../classmix/classmix_erfnet_1xb4-1000i_camvid-1of8-96x128.py', '../_base_/tasks/inpainting.py',
    '../_base_/tasks/denoising.py', '../_base_/tasks/colorization.py', '../_base_/tasks/jigsaw.py'
]
model = dict(
    _delete_=True,
    type='mmssl.MultiTaskSegmentor',
    segmentor=_base_.model,
    tasks=dict(
        inpainting=_base_.inpainting,
        denoising=_base_.denoising,
        colorization=_base_.colorization,
        jigsaw=_base_.jigsaw),
    probe_interval=50)  # that of the log
images = _base_.unlabeled.pipeline[:-1]  # loaded, resized and flipped
# For a CPU: patches of half the side, from a region of half the side.
_base_.jigsaw.model.head.hidden_channels = 512
_base_.jigsaw_pipeline[3].scale = 111
_base_.jigsaw_pipeline[4].update(grid_size=111, patch_size=32)
train_dataloader = dict(
    sampler=dict(type='mmssl.MultiTaskInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        type='mmssl.MultiTaskSegDataset',
        segmentation=_base_.train_dataloader.dataset,
        tasks=dict(
            inpainting=dict(_base_.unlabeled, pipeline=[*images, *_base_.inpainting_target]),
            denoising=dict(_base_.unlabeled, pipeline=[*images, *_base_.denoising_target]),
            colorization=dict(_base_.unlabeled, pipeline=[*images, *_base_.colorization_target]),
            jigsaw=dict(_base_.unlabeled, pipeline=_base_.jigsaw_pipeline))))
# At the full rate of 1e-3 the units of this head die within 250 iterations, and no gradient passes them any more.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'tasks.jigsaw': dict(lr_mult=0.1)}))
custom_hooks = [*_base_.custom_hooks, dict(type='mmssl.MultiTaskHook')]
# In the log: the tasks' losses as means of the last ten iterations, gradients as they are at that iteration.
log_processor = dict(mean_pattern=r'.*(loss|time|weighted).*')
