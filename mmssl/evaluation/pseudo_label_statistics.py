"""What a batch of pseudo-labels looks like, in sums that can be added over processes."""

from dataclasses import dataclass

import torch
from torch import Tensor

SUMS = ('pixels', 'confident', 'confidence', 'entropy', 'mixed_pixels', 'agreeing', 'weight')


@dataclass(frozen=True)
class PseudoLabelStatistics:
    """Statistics of pseudo-labels; NaN where there was no pixel to look at.

    Attributes:
        confident_share: share of the pixels with a confidence above the threshold, 0 to 1 (S2, equation 2.15).
        mean_confidence: mean of the teacher's largest probability, 0 to 1.
        entropy: mean entropy of the teacher's distributions, nats.
        agreement: share of the mixed pixels where the student predicts the target, 0 to 1.
        weight: mean lambda_u of the mixed pixels.
        class_shares: K shares of the pseudo-labels, which sum to 1.
    """

    confident_share: float
    mean_confidence: float
    entropy: float
    agreement: float
    weight: float
    class_shares: list[float]


def pseudo_label_sums(
    pseudo_labels: Tensor,
    confidence: Tensor,
    probabilities: Tensor,
    mixed_target: Tensor,
    mixed_weight: Tensor,
    student_logits: Tensor,
    *,
    threshold: float,
    ignore_index: int = 255,
) -> Tensor:
    """Sums over the pixels of a batch, on its device; ignored pixels count nowhere.

    Args:
        pseudo_labels: (B, H, W), int64; ``ignore_index`` outside of the image.
        confidence: (B, H, W), float in 0..1.
        probabilities: (B, K, H, W), float in 0..1, of the teacher.
        mixed_target: (B, H, W), int64; ``ignore_index`` where ignored.
        mixed_weight: (B, H, W), float.
        student_logits: (B, K, H, W), of the student on the mixed images.
        threshold: a confidence above it counts as confident.
        ignore_index: label of ignored pixels.

    Returns:
        (7 + K,), float64: the sums named in ``SUMS``, then the pixels of each pseudo-label.
    """
    valid = pseudo_labels != ignore_index
    mixed = mixed_target != ignore_index
    entropy = torch.special.entr(probabilities.float()).sum(1)
    agreeing = (student_logits.argmax(1) == mixed_target) & mixed
    sums = [
        valid.sum(),
        ((confidence > threshold) & valid).sum(),
        _sum_where(valid, confidence),
        _sum_where(valid, entropy),
        mixed.sum(),
        agreeing.sum(),
        _sum_where(mixed, mixed_weight),
    ]
    num_classes = probabilities.shape[1]
    # Ignored pixels go into a bin of their own, which is left out.
    counts = torch.bincount(torch.where(valid, pseudo_labels, num_classes).flatten(), minlength=num_classes + 1)
    return torch.cat([torch.stack([value.double() for value in sums]), counts[:num_classes].double()])


def statistics_from_sums(sums: list[float]) -> PseudoLabelStatistics:
    """Divides the sums, of one batch or added over several, by the pixels they are over.

    Args:
        sums: 7 + K numbers of :func:`pseudo_label_sums`.

    Returns:
        The statistics.
    """
    named, counts = dict(zip(SUMS, sums, strict=False)), sums[len(SUMS) :]
    pixels, mixed = named['pixels'] or float('nan'), named['mixed_pixels'] or float('nan')
    return PseudoLabelStatistics(
        confident_share=named['confident'] / pixels,
        mean_confidence=named['confidence'] / pixels,
        entropy=named['entropy'] / pixels,
        agreement=named['agreeing'] / mixed,
        weight=named['weight'] / mixed,
        class_shares=[count / pixels for count in counts],
    )


def confusion_counts(labels: Tensor, truth: Tensor, num_classes: int, ignore_index: int = 255) -> Tensor:
    """Counts pairs of label and truth, on their device.

    Args:
        labels: int64, of any shape; 0..K-1 or ``ignore_index``.
        truth: integers of that shape; pixels of any other id than 0..K-1 are left out too.
        num_classes: K.
        ignore_index: label of ignored pixels.

    Returns:
        (K, K), int64: rows are the truth, columns the labels.
    """
    valid = (labels != ignore_index) & (truth >= 0) & (truth < num_classes)
    pairs = torch.where(valid, truth.long() * num_classes + labels, num_classes**2)
    return torch.bincount(pairs.flatten(), minlength=num_classes**2 + 1)[:-1].view(num_classes, num_classes)


def mean_iou(confusion: Tensor) -> float:
    """Mean IoU over the classes that occur in truth or labels.

    Args:
        confusion: (K, K) counts of :func:`confusion_counts`, on the CPU.

    Returns:
        Percent; NaN where no pixel was counted.
    """
    hits = confusion.diagonal().double()
    union = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    present = union > 0
    return float(100 * (hits[present] / union[present]).mean()) if bool(present.any()) else float('nan')


def _sum_where(region: Tensor, values: Tensor) -> Tensor:
    return torch.where(region, values, 0).sum(dtype=torch.float64)
