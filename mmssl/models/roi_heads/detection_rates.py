"""Accuracy, false negatives and false positives of Mask R-CNN's second stage while it trains (S3, section 4.6.3).

S3 shows what detectron2 logs and gives no formulas; these are detectron2's, under its names. All are shares, 0 to 1,
on the device of the inputs, and NaN where there is nothing to count: nothing waits for the device.
"""

import torch
from torch import Tensor


def _share(hits: Tensor, among: Tensor) -> Tensor:
    """Share of the true elements of ``among`` that are true in ``hits`` as well; NaN if there are none."""
    return (hits & among).sum() / among.sum()


@torch.no_grad()
def classification_rates(scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """How the classifier treats the proposals that show an object.

    Args:
        scores: (N, C + 1) float, of the classes and, last, the background; a softmax does not change the result.
        labels: (N,) int64, classes 0 to C - 1, C for the background.

    Returns:
        ``fast_rcnn/fg_cls_accuracy``: share of the proposals of an object whose class is found;
        ``fast_rcnn/false_negative``: share of them that are taken for background. Shapes ().

    Raises:
        ValueError: shapes that do not belong together.
    """
    if scores.dim() != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(
            f'classification_rates: scores {tuple(scores.shape)} and labels {tuple(labels.shape)}, '
            'expected (N, C + 1) and (N,)'
        )
    background = scores.shape[1] - 1
    predicted = scores.argmax(dim=1)
    objects = (labels >= 0) & (labels < background)
    return {
        'fast_rcnn/fg_cls_accuracy': _share(predicted == labels, objects),
        'fast_rcnn/false_negative': _share(predicted == background, objects),
    }


@torch.no_grad()
def mask_rates(logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """How the masks of the true classes agree with the truth, over the pixels of all proposals of an object together.

    Args:
        logits: (N, H, W) float, of the class of each proposal; above 0 is inside.
        targets: (N, H, W), 0 to 1; above one half is inside.

    Returns:
        ``mask_rcnn/accuracy``: share of the pixels that are right; ``mask_rcnn/false_positive``: share of the outside
        that is taken for inside; ``mask_rcnn/false_negative``: share of the inside that is missed. Shapes ().

    Raises:
        ValueError: shapes that differ.
    """
    if logits.shape != targets.shape:
        raise ValueError(f'mask_rates: logits {tuple(logits.shape)}, targets {tuple(targets.shape)}, expected the same')
    inside = targets > 0.5
    predicted = logits > 0
    return {
        'mask_rcnn/accuracy': _share(predicted == inside, torch.ones_like(inside)),
        'mask_rcnn/false_positive': _share(predicted, ~inside),
        'mask_rcnn/false_negative': _share(~predicted, inside),
    }
