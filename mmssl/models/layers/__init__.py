from .momentum_bn import MomentumBN, momentum_bn_coefficient, set_momentum_bn_coefficient

__all__ = ['MomentumBN', 'momentum_bn_coefficient', 'set_momentum_bn_coefficient']
