# The thesis's optimiser (S0, section 4.2) for runs of minutes: the polynomial decays by iteration.
optim_wrapper = dict(
    type='OptimWrapper',
    # fused: one pass over all weights; on a CPU torch else goes through them tensor by tensor
    optimizer=dict(type='Adam', lr=5e-4, betas=(0.9, 0.999), weight_decay=1e-4, fused=True))
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=600, by_epoch=False)]
train_cfg = dict(type='mmssl.ResumableIterBasedTrainLoop', max_iters=600, val_interval=200)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='mmssl.AtomicCheckpointHook', by_epoch=False, interval=200, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    resume_check=dict(type='mmssl.ResumeCheckHook'),
    preemption=dict(type='mmssl.PreemptionHook'),
    non_finite_loss=dict(type='mmssl.NonFiniteLossHook'))
