"""Consistency of the pixels of two views that show the same place (S1, equations 2.12 and 2.13)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmssl.registry import MODELS

from .positive_pairs import positive_pairs

AVERAGES = ('all', 'overlapping')
SHORTEST = 1e-12


class PixelConsistency(NamedTuple):
    """What :func:`pixel_consistency` finds; all but the loss without gradient.

    Attributes:
        loss: scalar, -2 to 2.
        cosine: scalar, -1 to 1: mean cosine of the positive pairs of an image, over both directions and the images that
            have any; 0 without one.
        num_positives: (B,), int64: positive pairs of each image.
        no_overlap: scalar, 0 to 1: share of images without a positive pair.
    """

    loss: Tensor
    cosine: Tensor
    num_positives: Tensor
    no_overlap: Tensor


def cosine_sums(online: Tensor, target: Tensor, pairs: Tensor) -> Tensor:
    """Sum of the cosines over the pairs of each image.

    sum_ij A_ij cos(y_i, x_j) = sum_i y_i / |y_i| . (sum_j A_ij x_j / |x_j|): the cosines of all pairs are never made,
    and the graph holds two maps.

    Args:
        online: (B, C, P), float: y; a zero vector has cosine 0.
        target: (B, C, Q), float: x; gets no gradient.
        pairs: (B, P, Q), 0 or 1, float of the type of the maps: A.

    Returns:
        (B,).
    """
    target = target.detach()
    unit = target / torch.linalg.vector_norm(target, dim=1, keepdim=True).clamp(min=SHORTEST)
    partners = torch.bmm(unit, pairs.mT)
    lengths = torch.linalg.vector_norm(online, dim=1).clamp(min=SHORTEST)
    return ((online * partners).sum(1) / lengths).sum(1)


def pixel_consistency(
    online: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor], pairs: Tensor, average: str = 'all'
) -> PixelConsistency:
    """Loss of a batch, equation 2.13: -cos(y_i, x'_j) - cos(y_j, x'_i), averaged over the positive pairs of each image.

    -2 where all positive pairs agree, 0 where no views overlap: an image without a positive pair contributes 0.
    Computed in float32 or wider, also under autocast.

    Args:
        online: y of view 1 and of view 2, each (B, C, H, W), float.
        target: x' of view 1 and of view 2, the same shapes; get no gradient.
        pairs: (B, H * W, H * W), bool, of :func:`positive_pairs`.
        average: over ``'all'`` images, or over the ``'overlapping'`` ones, those with a positive pair.

    Returns:
        Loss and what describes it; see :class:`PixelConsistency`.

    Raises:
        ValueError: maps or pairs of another shape.
    """
    shapes = {tuple(one.shape) for one in (*online, *target)}
    if len(shapes) > 1 or online[0].dim() != 4:
        raise ValueError(f'maps of the two views are {sorted(shapes)}, expected one shape (B, C, H, W)')
    batch, cells = len(online[0]), online[0].shape[2:].numel()
    if pairs.shape != (batch, cells, cells):
        raise ValueError(f'positive pairs are {tuple(pairs.shape)}, expected {(batch, cells, cells)}')
    dtype = torch.promote_types(online[0].dtype, torch.float32)
    (y1, y2), (x1, x2) = ([one.flatten(2).to(dtype) for one in views] for views in (online, target))
    with torch.autocast(pairs.device.type, enabled=False):
        weights = pairs.to(dtype)
        count = pairs.sum((1, 2))
        sums = cosine_sums(y1, x2, weights) + cosine_sums(y2, x1, weights.mT)
    # Both directions together, -2 to 2; exactly 0 without a pair.
    means = sums / count.clamp(min=1)
    overlapping = (count > 0).sum()
    loss = -means.sum() / (overlapping.clamp(min=1) if average == 'overlapping' else batch)
    cosine = means.detach().sum() / (2 * overlapping.clamp(min=1))
    return PixelConsistency(loss, cosine, count, 1 - overlapping / batch)


@MODELS.register_module()
class PixelConsistencyLoss(nn.Module):
    """Negative cosine of the pixels of two views that show the same place; the loss of PixPro.

    Source: S1, equations 2.12 and 2.13. With ``loss_weight=1`` it is -2 to 2; the released code of PixPro has twice
    that, -4 at best, and divides by the number of pairs plus 1e-6.

    Args:
        threshold: tau of equation 2.12, above 0.
        average: over ``'all'`` images of the batch, as S1 says ("over the images in the mini-batch") and the released
            code does: an image weighs the same in every batch, and the mean over ranks is that of the whole batch.
            ``'overlapping'``: over those of this rank that have a positive pair.
        loss_weight: factor on the loss.

    Raises:
        ValueError: an option outside these values.
    """

    def __init__(self, *, threshold: float = 0.7, average: str = 'all', loss_weight: float = 1.0) -> None:
        super().__init__()
        if not 0 < threshold < math.inf:
            raise ValueError(f'PixelConsistencyLoss: threshold={threshold}, expected a number above 0')
        if average not in AVERAGES:
            raise ValueError(f'PixelConsistencyLoss: average={average!r}, expected one of {AVERAGES}')
        self.threshold = threshold
        self.average = average
        self.loss_weight = loss_weight

    def forward(
        self,
        online: tuple[Tensor, Tensor],
        target: tuple[Tensor, Tensor],
        boxes: Tensor,
        valid: tuple[Tensor | None, Tensor | None] = (None, None),
    ) -> PixelConsistency:
        """Loss of a batch.

        Args:
            online: y of view 1 and of view 2, each (B, C, H, W), float.
            target: x' of view 1 and of view 2, the same shapes; get no gradient.
            boxes: (B, 2, 4), float32, of the two views, see :func:`mmssl.models.losses.positive_pairs.positive_pairs`.
            valid: for each view (B, H, W), bool, where there is image behind the cell; None is everywhere.

        Returns:
            See :class:`PixelConsistency`; the loss is times ``loss_weight``.
        """
        pairs = positive_pairs(boxes, online[0].shape[2:], self.threshold, valid)
        found = pixel_consistency(online, target, pairs, self.average)
        return found._replace(loss=self.loss_weight * found.loss)

    def extra_repr(self) -> str:
        """Constructor arguments."""
        return f'threshold={self.threshold}, average={self.average!r}, loss_weight={self.loss_weight}'
