"""Heads of detectors that log how their errors come about."""

from .detection_rates import classification_rates, mask_rates
from .heads_with_rates import FCNMaskHeadWithRates, Shared2FCBBoxHeadWithRates

__all__ = ['FCNMaskHeadWithRates', 'Shared2FCBBoxHeadWithRates', 'classification_rates', 'mask_rates']
