"""Cross entropy with class weights (S0, equations 3.1 to 3.3)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmssl.registry import MODELS


def weighted_cross_entropy(
    scores: Tensor,
    labels: Tensor,
    class_weight: Tensor | None = None,
    pixel_weight: Tensor | None = None,
    ignore_index: int = 255,
) -> Tensor:
    """Average of weight[class] * (-score[class] + log sum exp score) over the pixels that are not ignored.

    The sum is divided by the sum of the class weights of those pixels, as torch's mean does: without class weights,
    by their number. Pixel weights scale the summands only, so that a batch trusted by half has half the loss.

    Args:
        scores: (B, K, H, W), float, before the softmax.
        labels: (B, H, W), int64, in [0, K) or ``ignore_index``.
        class_weight: (K,), float, not negative.
        pixel_weight: (B, H, W), float, not negative.
        ignore_index: label of pixels without a class.

    Returns:
        Scalar; 0, with zero gradient, when every pixel is ignored.
    """
    valid = labels != ignore_index
    if class_weight is None:
        normaliser = valid.sum()
    else:
        class_weight = class_weight.to(scores.dtype)
        normaliser = (class_weight[labels.masked_fill(~valid, 0)] * valid).sum()
    if pixel_weight is None:
        total = F.cross_entropy(scores, labels, class_weight, ignore_index=ignore_index, reduction='sum')
    else:
        loss = F.cross_entropy(scores, labels, class_weight, ignore_index=ignore_index, reduction='none')
        total = (loss * pixel_weight).sum()
    # Both are zero when every pixel is ignored (or has weight zero): 0 / tiny is 0, 0 / 0 would be NaN.
    return total / normaliser.clamp(min=torch.finfo(scores.dtype).tiny)


@MODELS.register_module()
class WeightedCrossEntropyLoss(nn.Module):
    """Cross entropy of a decode head, with class weights that are correct beside ignored pixels.

    Replaces mmseg's ``CrossEntropyLoss``, which indexes its class weights with the ignore value and raises
    (mmseg 1.2.2), and which divides by all pixels unless told otherwise.

    Args:
        class_weight: None; one number a class; or ``'enet'``: ``mmssl.ClassWeightHook`` computes equation 4.1 from
            the training masks before the first iteration.
        loss_weight: factor on the loss.
        loss_name: key of the loss in the log; starts with ``loss_``, or it is not trained on.

    Raises:
        ValueError: on another string, or a negative weight; at the first loss when ``'enet'`` was never computed.
    """

    def __init__(
        self,
        *,
        class_weight: Sequence[float] | str | None = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ce',
    ):
        super().__init__()
        if isinstance(class_weight, str) and class_weight != 'enet':
            raise ValueError(f"WeightedCrossEntropyLoss: class_weight={class_weight!r}, expected numbers or 'enet'")
        self.loss_weight = loss_weight
        self.loss_name = loss_name
        self.scheme = class_weight if isinstance(class_weight, str) else None
        # No buffer: the configuration and the training masks determine it, and averaged copies of the model (mmengine's
        # EMAHook) pair buffers by position, which one that appears before training would shift.
        self.class_weight: Tensor | None = None
        if class_weight is not None and self.scheme is None:
            self.set_class_weight(class_weight)

    def set_class_weight(self, weights: Sequence[float]) -> None:
        """Use ``weights``, one number a class, none negative, from now on."""
        weights = torch.as_tensor(weights, dtype=torch.float32)
        if weights.dim() != 1 or not bool((weights >= 0).all()):
            raise ValueError(f'WeightedCrossEntropyLoss: class_weight={weights.tolist()}, expected numbers from 0 up')
        self.class_weight = weights

    def forward(
        self, cls_score: Tensor, label: Tensor, weight: Tensor | None = None, ignore_index: int = 255
    ) -> Tensor:
        """As ``weighted_cross_entropy``; ``weight`` is the pixel weight (mmseg's samplers give one)."""
        if self.scheme and self.class_weight is None:
            raise ValueError(
                f'class_weight={self.scheme!r} was not computed: add mmssl.ClassWeightHook to custom_hooks'
            )
        if self.class_weight is not None:
            self.class_weight = self.class_weight.to(cls_score.device)  # copied once
            if len(self.class_weight) != cls_score.shape[1]:
                raise ValueError(
                    f'class_weight has {len(self.class_weight)} numbers, the scores {cls_score.shape[1]} classes'
                )
        return self.loss_weight * weighted_cross_entropy(cls_score, label, self.class_weight, weight, ignore_index)
