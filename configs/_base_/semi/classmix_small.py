# ClassMix for trainings of minutes from random weights, on images of about 100x100 pixels; these choices are ours.
_base_ = './classmix.py'
semi = dict(
    distribution_alignment=dict(target='labeled'),  # section 2.5.6; without it small classes fade
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
