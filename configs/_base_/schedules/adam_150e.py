# S0, section 4.2: Adam at 5e-4, polynomial decay of power 0.9 by epoch (equation 4.2). The thesis does not name the
# weight decay; 1e-4 is the public release's.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-4, betas=(0.9, 0.999), weight_decay=1e-4))
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=150, by_epoch=True)]
train_cfg = dict(type='mmssl.ResumableEpochBasedTrainLoop', max_epochs=150, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='mmssl.AtomicCheckpointHook', by_epoch=True, interval=10, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    resume_check=dict(type='mmssl.ResumeCheckHook'),
    preemption=dict(type='mmssl.PreemptionHook'),
    non_finite_loss=dict(type='mmssl.NonFiniteLossHook'))
