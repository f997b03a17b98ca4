# DACS: source pixels pasted on target images, S2, sections 3.2 and 4.1.3. A recipe inherits a recipe of the source
# domain and this file; mix_source='unlabeled' makes it IntraMix (table 5.2).
semi = dict(
    type='mmssl.SemiSupervisedSegmentor',
    mixing=dict(type='mmssl.ClassMix'),  # half of the classes of the source's masks
    mix_source='labeled',
    weighting=dict(type='mmssl.ConfidentShareWeighting', threshold=0.968),  # equation 2.15
    teacher=dict(alpha=0.99),
    augmentations=[  # section 3.4
        dict(type='mmssl.BatchColorJitter', prob=0.5),
        dict(type='mmssl.BatchGaussianBlur', prob=0.5),
    ])
semi_hooks = [
    dict(type='mmssl.MeanTeacherHook'),
    dict(type='mmssl.PairedDataCheckHook'),
    dict(type='mmssl.PseudoLabelHook', interval=50),
    dict(type='mmssl.MixPictureHook', interval=1000),
]
