from .momentum_bn import MomentumBN
from .switch_norm import SwitchNorm2d

__all__ = ['MomentumBN', 'SwitchNorm2d']
