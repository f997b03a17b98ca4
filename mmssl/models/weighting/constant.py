"""The same weight for every pixel of the unlabelled loss."""

import torch
from torch import Tensor

from mmssl.registry import MODELS


@MODELS.register_module()
class ConstantWeighting:
    """Weight every pixel alike at all times ("constant unsupervised weight" of S2, table 5.1).

    Args:
        weight: lambda_u0.
    """

    def __init__(self, *, weight: float = 1.0):
        self.weight = weight

    def __call__(self, confidence: Tensor, valid: Tensor, iteration: int) -> Tensor:
        """Give the weights of a batch.

        Args:
            confidence: (B, H, W), float in 0..1, largest probability of the teacher.
            valid: (B, H, W), bool: where there is image.
            iteration: of the training, from 0.

        Returns:
            (B, H, W), float.
        """
        return torch.full_like(confidence, self.weight)
