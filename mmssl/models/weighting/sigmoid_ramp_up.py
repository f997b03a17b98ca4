"""A weight that grows with the iteration (S2, equation 2.13)."""

import math

import torch
from torch import Tensor

from mmssl.registry import MODELS


def sigmoid_ramp_up(iteration: int, length: int, slope: float = 5.0) -> float:
    """exp(-slope * (1 - iteration / length)^2), and 1 from ``length`` on.

    Equation 2.13 with the iteration as a share of ``length``: the constant 5 of the thesis, and its figure 2.9, are
    for that scale (S. Laine and T. Aila, "Temporal ensembling for semi-supervised learning", ICLR 2017).

    Args:
        iteration: from 0.
        length: k_max, iterations until the weight is 1; at least 1.
        slope: c.

    Returns:
        exp(-slope) to 1.
    """
    left = 1 - min(iteration, length) / length
    return math.exp(-slope * left**2)


@MODELS.register_module()
class SigmoidRampUpWeighting:
    """Weight every pixel alike, growing over the first iterations, equation 2.13.

    Args:
        weight: lambda_u0, reached at ``length``.
        length: k_max, iterations.
        slope: c; the thesis has 5.

    Raises:
        ValueError: the length is not positive.
    """

    def __init__(self, *, weight: float = 1.0, length: int = 10000, slope: float = 5.0):
        if length < 1:
            raise ValueError(f'SigmoidRampUpWeighting: length={length}, expected at least 1 iteration')
        self.weight = weight
        self.length = length
        self.slope = slope

    def __call__(self, confidence: Tensor, valid: Tensor, iteration: int) -> Tensor:
        """Give the weights of a batch; arguments and result as those of ``ConstantWeighting``."""
        return torch.full_like(confidence, self.weight * sigmoid_ramp_up(iteration, self.length, self.slope))
