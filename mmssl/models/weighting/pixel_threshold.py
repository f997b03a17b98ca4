"""Train on confident pixels only (S2, equation 2.14)."""

from torch import Tensor

from mmssl.registry import MODELS


@MODELS.register_module()
class PixelThresholdWeighting:
    """Weight a pixel fully where the teacher is confident, and not at all elsewhere, equation 2.14.

    Args:
        weight: lambda_u0.
        threshold: tau; a confidence above it counts.
    """

    def __init__(self, *, weight: float = 1.0, threshold: float = 0.968):
        self.weight = weight
        self.threshold = threshold

    def __call__(self, confidence: Tensor, valid: Tensor, iteration: int) -> Tensor:
        """Give the weights of a batch; arguments and result as those of ``ConstantWeighting``."""
        return (confidence > self.threshold).to(confidence.dtype) * self.weight
