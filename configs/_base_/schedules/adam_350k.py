# BYOL, S3, section 4.4: 350,000 iterations, weight decay 1e-4, gradients clipped at 0.1; the learning rate starts large
# and decays after a while (figure 4.3). Neither the optimiser nor the numbers of that figure are in the thesis. Ours:
# Adam at 3e-4, as in the example of lucidrains/byol-pytorch for Lightning, which the thesis's description matches
# (ResNet-50 from ImageNet, 4096 and 256), and half a cosine without warm-up, which stays near its start for a while.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=3e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0, begin=0, end=350000, by_epoch=False)]
train_cfg = dict(type='mmssl.ResumableIterBasedTrainLoop', max_iters=350000)
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='mmssl.AtomicCheckpointHook', by_epoch=False, interval=10000, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    resume_check=dict(type='mmssl.ResumeCheckHook'),
    preemption=dict(type='mmssl.PreemptionHook'),
    non_finite_loss=dict(type='mmssl.NonFiniteLossHook'))
