"""Hooks of the training and test loops."""

from .class_weight_hook import ClassWeightHook
from .fold_norm_hook import FoldNormHook
from .picture_hook import PictureHook
from .strict_load_hook import StrictLoadHook

__all__ = ['ClassWeightHook', 'FoldNormHook', 'PictureHook', 'StrictLoadHook']
