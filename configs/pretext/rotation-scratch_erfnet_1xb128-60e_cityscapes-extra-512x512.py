# S0, table 5.3: rotation from random weights instead of ImageNet classification.
_base_ = 'rotation_erfnet_1xb128-60e_cityscapes-extra-512x512.py'
custom_hooks = []
