# What the schedules of this folder have by default, for recipes that take the schedule of a host: docs/reliability.md.
reliable_hooks = dict(
    checkpoint=dict(type='mmssl.AtomicCheckpointHook'),
    resume_check=dict(type='mmssl.ResumeCheckHook'),
    preemption=dict(type='mmssl.PreemptionHook'),
    non_finite_loss=dict(type='mmssl.NonFiniteLossHook'))
