"""Weight by the share of confident pixels (S2, equation 2.15)."""

from torch import Tensor

from mmssl.registry import MODELS

SCOPES = ('batch', 'image')


def confident_share(confidence: Tensor, valid: Tensor, threshold: float, per: str = 'batch') -> Tensor:
    """Share of the valid pixels whose confidence is above the threshold.

    Args:
        confidence: (B, H, W), float in 0..1.
        valid: (B, H, W), bool.
        threshold: tau.
        per: ``'batch'`` or ``'image'``.

    Returns:
        (1, 1, 1) or (B, 1, 1), float in 0..1; 0 where no pixel is valid.
    """
    dims = (0, 1, 2) if per == 'batch' else (1, 2)
    confident = ((confidence > threshold) & valid).sum(dims, keepdim=True)
    return confident.to(confidence.dtype) / valid.sum(dims, keepdim=True).clamp(min=1)


@MODELS.register_module()
class ConfidentShareWeighting:
    """Weight all pixels by the share of those the teacher is confident about, equation 2.15; the thesis's default.

    Args:
        weight: lambda_u0.
        threshold: tau; a confidence above it counts.
        per: one share for the ``'batch'``, as in the thesis, or one for each ``'image'``, which section 5.2.1 proposes.
            Over several ranks each has its own batch.

    Raises:
        ValueError: on another ``per``.
    """

    def __init__(self, *, weight: float = 1.0, threshold: float = 0.968, per: str = 'batch'):
        if per not in SCOPES:
            raise ValueError(f'ConfidentShareWeighting: per={per!r}, expected one of {SCOPES}')
        self.weight = weight
        self.threshold = threshold
        self.per = per

    def __call__(self, confidence: Tensor, valid: Tensor, iteration: int) -> Tensor:
        """Give the weights of a batch; arguments and result as those of ``ConstantWeighting``."""
        share = confident_share(confidence, valid, self.threshold, self.per)
        return (share * self.weight).expand_as(confidence)
