# S2, section 4.1.2: SGD at 2.5e-4, momentum 0.9, weight decay 5e-4, 40,000 iterations, polynomial decay of power 0.9
# (equation 2.6). The head learns ten times as fast in the released code; the thesis does not say.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))))
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=40000, by_epoch=False)]
train_cfg = dict(type='mmssl.ResumableIterBasedTrainLoop', max_iters=40000, val_interval=4000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='mmssl.AtomicCheckpointHook', by_epoch=False, interval=4000, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    resume_check=dict(type='mmssl.ResumeCheckHook'),
    preemption=dict(type='mmssl.PreemptionHook'),
    non_finite_loss=dict(type='mmssl.NonFiniteLossHook'))
