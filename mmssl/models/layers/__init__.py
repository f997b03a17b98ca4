from .momentum_bn import MomentumBN

__all__ = ['MomentumBN']
