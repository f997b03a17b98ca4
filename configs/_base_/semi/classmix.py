# ClassMix with a mean teacher, S2, sections 3.2 and 4.1.2. A recipe inherits a segmentor's recipe and this file:
#   model = dict(_base_.semi, _delete_=True, segmentor=_base_.model)
semi = dict(
    type='mmssl.SemiSupervisedSegmentor',
    mixing=dict(type='mmssl.ClassMix'),  # half of the classes of each prediction, algorithm 1
    mix_source='unlabeled',
    weighting=dict(type='mmssl.ConfidentShareWeighting', threshold=0.968),  # equation 2.15
    teacher=dict(alpha=0.99))
semi_hooks = [
    dict(type='mmssl.MeanTeacherHook'),
    dict(type='mmssl.PairedDataCheckHook'),
    dict(type='mmssl.PseudoLabelHook', interval=50),
    dict(type='mmssl.MixPictureHook', interval=1000),
]
