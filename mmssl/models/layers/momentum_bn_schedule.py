"""How the weight of the past changes in Momentum BN."""

from torch import nn

from ..cosine_progress import cosine_progress
from .momentum_bn import MomentumBN

# How far a schedule has come, 0 to 1, at a share of the training.
RULES = {'cosine': cosine_progress, 'linear': lambda share: share}


def momentum_bn_coefficient(
    step: int, total: int, *, start: float = 0.0, end: float = 1.0, rule: str = 'cosine'
) -> float:
    """Weight of the past at a step of the training: ``start + (end - start) * progress``.

    ``progress`` is (1 - cos(pi * step / total)) / 2 or step / total. The defaults are those of the released code of
    Momentum^2 Teacher: the batch alone at the start, at the end the past alone. S1 names no schedule.

    Args:
        step: from 0; beyond ``total`` the end is kept.
        total: steps of the training.
        start: value at step 0, 0 to 1.
        end: value at step ``total``, 0 to 1.
        rule: ``'cosine'`` or ``'linear'``.

    Returns:
        0 to 1, for :func:`set_momentum_bn_coefficient`.

    Raises:
        ValueError: on values outside of these.
    """
    if rule not in RULES:
        raise ValueError(f'momentum_bn_coefficient: rule={rule!r}, expected one of {sorted(RULES)}')
    if step < 0 or total < 1:
        raise ValueError(f'momentum_bn_coefficient: step={step} of total={total}, expected 0 or more of at least 1')
    if not (0 <= start <= 1 and 0 <= end <= 1):
        raise ValueError(f'momentum_bn_coefficient: start={start}, end={end}, expected 0 to 1')
    progress = RULES[rule](min(step / total, 1))
    return start * (1 - progress) + end * progress


def set_momentum_bn_coefficient(module: nn.Module, value: float) -> int:
    """Set the coefficient of every ``MomentumBN`` in ``module``, and return how many there are."""
    layers = [layer for layer in module.modules() if isinstance(layer, MomentumBN)]
    for layer in layers:
        layer.set_coefficient(value)
    return len(layers)
