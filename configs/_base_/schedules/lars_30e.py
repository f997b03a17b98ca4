# Pixel-level pretraining, S1, section 4.1.2: LARS, learning rate 1.0 for 256 images and in proportion for others,
# momentum 0.9, weight decay 4e-4 (the released code of PixPro has 1e-5), cosine decay, 30 epochs. As in the released
# code: 5 epochs of linear warm-up from a hundredth, trust coefficient 0.001, norms and biases neither scaled by LARS
# nor decayed. That code scales by the norm of gradient and decay together, mmpretrain's LARS by the sum of their norms.
excluded = dict(decay_mult=0.0, lars_exclude=True)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='LARS', lr=1.0, momentum=0.9, weight_decay=4e-4, eta=0.001),
    # parts of parameters' names; downsample.1 is a norm of ResNet, neck.norm the projector's
    paramwise_cfg=dict(
        custom_keys={
            'bn': excluded,
            'downsample.1': excluded,
            'neck.norm': excluded,
            'bias': excluded
        }))
auto_scale_lr = dict(base_batch_size=256, enable=True)
warm_up = dict(type='LinearLR', start_factor=0.01, begin=0, end=5, by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    warm_up,
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=5, end=30, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(type='mmssl.ResumableEpochBasedTrainLoop', max_epochs=30)
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='mmssl.AtomicCheckpointHook', by_epoch=True, interval=5, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    resume_check=dict(type='mmssl.ResumeCheckHook'),
    preemption=dict(type='mmssl.PreemptionHook'),
    non_finite_loss=dict(type='mmssl.NonFiniteLossHook'))
