"""Losses between the student's scores and targets that the teacher made (S2, equations 2.1 and 2.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmssl.registry import MODELS

IGNORE_INDEX = 255
AVERAGES = ('valid', 'all')


def consistency_cross_entropy(scores: Tensor, target: Tensor) -> Tensor:
    """Cross entropy of every pixel, equation 2.2.

    Args:
        scores: (B, K, H, W), float, before the softmax.
        target: (B, H, W), int64, pseudo-labels in [0, K) or 255 (0 there); or (B, K, H, W), float, distributions.

    Returns:
        (B, H, W), float.
    """
    if target.is_floating_point():
        return F.cross_entropy(scores, target, reduction='none')
    return F.cross_entropy(scores, target, ignore_index=IGNORE_INDEX, reduction='none')


def consistency_squared_error(scores: Tensor, target: Tensor) -> Tensor:
    """Squared error of every pixel, summed over the classes, equation 2.1.

    Args:
        scores: (B, K, H, W), float, before the softmax.
        target: as for :func:`consistency_cross_entropy`.

    Returns:
        (B, H, W), float, 0 to 2.
    """
    probabilities = scores.softmax(1)
    if target.is_floating_point():
        return (target - probabilities).square().sum(1)
    valid = target != IGNORE_INDEX
    # sum_i (y_i - p_i)^2 with a one-hot y, without making y
    chosen = probabilities.gather(1, target.masked_fill(~valid, 0)[:, None])[:, 0]
    return (probabilities.square().sum(1) - 2 * chosen + 1) * valid


def weighted_mean(loss: Tensor, weight: Tensor, valid: Tensor, average: str = 'valid') -> Tensor:
    """Mean of weight * loss over the pixels.

    Args:
        loss: (B, H, W), float.
        weight: (B, H, W), float.
        valid: (B, H, W), bool: where there is a target.
        average: divide by the number of ``'valid'`` pixels, or by that of ``'all'``.

    Returns:
        Scalar; 0 without a valid pixel.
    """
    total = (loss * weight * valid).sum()
    if average == 'all':
        return total / valid.numel()
    return total / valid.sum().clamp(min=1)


class _ConsistencyLoss(nn.Module):
    def __init__(self, *, loss_weight: float = 1.0, average: str = 'valid'):
        super().__init__()
        if average not in AVERAGES:
            raise ValueError(f'{type(self).__name__}: average={average!r}, expected one of {AVERAGES}')
        self.loss_weight = loss_weight
        self.average = average

    def forward(self, scores: Tensor, target: Tensor, weight: Tensor, valid: Tensor) -> Tensor:
        """Loss of a mixed batch.

        Args:
            scores: (B, K, H, W), float, of the student before the softmax.
            target: (B, H, W), int64, pseudo-labels with 255 where ignored; or (B, K, H, W), float, distributions.
            weight: (B, H, W), float, lambda_u of each pixel.
            valid: (B, H, W), bool: where there is a target.

        Returns:
            Scalar.
        """
        return self.loss_weight * weighted_mean(self.each_pixel(scores, target), weight, valid, self.average)


@MODELS.register_module()
class ConsistencyCrossEntropyLoss(_ConsistencyLoss):
    """Cross entropy towards pseudo-labels or distributions, equation 2.2; the thesis's choice.

    Args:
        loss_weight: factor on the loss.
        average: what the sum over the pixels is divided by: the ``'valid'`` ones, or ``'all'``, ignored ones too, as
            in the released code.

    Raises:
        ValueError: on another ``average``.
    """

    each_pixel = staticmethod(consistency_cross_entropy)


@MODELS.register_module()
class ConsistencySquaredErrorLoss(_ConsistencyLoss):
    """Squared error towards pseudo-labels or distributions, equation 2.1; a row of S2, table 5.1.

    Args:
        loss_weight: factor on the loss.
        average: as for ``ConsistencyCrossEntropyLoss``.

    Raises:
        ValueError: on another ``average``.
    """

    each_pixel = staticmethod(consistency_squared_error)


def one_hot(labels: Tensor, num_classes: int, dtype: torch.dtype) -> Tensor:
    """Labels as distributions, for soft targets that are mixed with labels.

    Args:
        labels: (B, H, W), int64, in [0, K) or 255.
        num_classes: K.
        dtype: of the result.

    Returns:
        (B, K, H, W); zero where ignored.
    """
    classes = torch.arange(num_classes, device=labels.device)[:, None, None]
    return (labels[:, None] == classes).to(dtype)
