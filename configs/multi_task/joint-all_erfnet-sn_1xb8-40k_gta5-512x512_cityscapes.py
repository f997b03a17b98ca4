# GTA5 labelled, Cityscapes unlabelled: the segmentation learns from the game, the pretext tasks from the photographs.
_base_ = [
    './source_erfnet-sn_1xb8-40k_gta5-512x512_cityscapes.py', '../_base_/tasks/inpainting.py',
    '../_base_/tasks/denoising.py', '../_base_/tasks/colorization.py', '../_base_/tasks/jigsaw.py'
]
_base_.inpainting.model.decode_head.norm_cfg = _base_.norm_cfg
_base_.denoising.model.decode_head.norm_cfg = _base_.norm_cfg
_base_.colorization.model.decode_head.norm_cfg = _base_.norm_cfg
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
images = [*_base_.unlabeled.pipeline[:-1], dict(type='RandomFlip', prob=0.5)]  # loaded, resized and cropped
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
custom_hooks = [*_base_.custom_hooks, dict(type='mmssl.MultiTaskHook')]
# In the log: the tasks' losses as means of the last ten iterations, gradients as they are at that iteration.
log_processor = dict(mean_pattern=r'.*(loss|time|weighted).*')
