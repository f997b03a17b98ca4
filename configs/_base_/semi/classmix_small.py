# ClassMix for trainings of minutes from random weights, on images of about 100x100 pixels; these choices are ours.
_base_ = './classmix.py'
semi = dict(
    # the teacher's distributions: what such a teacher is not sure of, hard pseudo-labels would make certain
    target='soft',
    # section 2.5.6; without it small classes fade. 0.9 in place of 0.99: the teacher changes within 100 iterations
    distribution_alignment=dict(target='labeled', momentum=0.9),
    # without blur and hue: the thesis's blur is for images five to eight times as large, and a hue turned by up to a
    # quarter leaves little of the few pixels of a class
    augmentations=[
        dict(
            type='mmssl.BatchColorJitter',
            brightness=0.4,
            contrast=0.4,
            saturation=0.4,
            hue=0.0,
            prob=0.8,
            per='image')
    ])
semi_hooks = [dict(type='mmssl.ClassShareHook'), *_base_.semi_hooks]
