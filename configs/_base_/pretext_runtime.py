# Pretext tasks with mmpretrain's models.
_base_ = 'default_runtime.py'
default_scope = 'mmpretrain'
visualizer = dict(_delete_=True, type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
