from .batch_blur import BatchGaussianBlur
from .class_mix import ClassMix
from .color_jitter import BatchColorJitter
from .cow_mix import CowMix
from .cut_mix import CutMix

__all__ = ['BatchColorJitter', 'BatchGaussianBlur', 'ClassMix', 'CowMix', 'CutMix']
