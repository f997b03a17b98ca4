"""Which layers are batch normalisations."""

from torch.nn.modules.batchnorm import _BatchNorm

from .switch_norm import SwitchNorm2d

BATCH_NORMS = (_BatchNorm, SwitchNorm2d)
"""Layers in which the images of a batch meet in training, and which keep running statistics of them."""
