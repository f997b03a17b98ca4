"""Statistics of pseudo-labels by hand and against loops over pixels."""

import math

import numpy as np
import pytest
import torch
from mmseg.evaluation.metrics import IoUMetric

from mmssl.evaluation.pseudo_label_statistics import (
    confusion_counts,
    mean_iou,
    pseudo_label_sums,
    statistics_from_sums,
)

# One image of 2x2 pixels, three classes; the last pixel is padding.
PROBABILITIES = torch.tensor([[0.98, 0.01, 0.01], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]).T.reshape(
    1, 3, 2, 2
)
LABELS = torch.tensor([[[0, 1], [2, 255]]])
CONFIDENCE = torch.tensor([[[0.98, 0.5], [1.0, 1.0]]])
TARGET = torch.tensor([[[2, 1], [255, 0]]])
WEIGHT = torch.tensor([[[0.2, 0.4], [9.0, 0.9]]])
LOGITS = torch.tensor([[0.0, 0.0, 5.0], [3.0, 2.0, 1.0], [9.0, 0.0, 0.0], [1.0, 0.0, 0.0]]).T.reshape(1, 3, 2, 2)


def statistics(*tensors, threshold=0.968):
    return statistics_from_sums(pseudo_label_sums(*tensors, threshold=threshold).tolist())


def test_by_hand():
    found = statistics(LABELS, CONFIDENCE, PROBABILITIES, TARGET, WEIGHT, LOGITS)
    assert found.confident_share == pytest.approx(2 / 3)
    assert found.mean_confidence == pytest.approx(2.48 / 3)
    first = -0.98 * math.log(0.98) - 0.02 * math.log(0.01)
    assert found.entropy == pytest.approx((first + math.log(2) + 0) / 3)
    assert found.agreement == pytest.approx(2 / 3)  # the student says 2, 0, (ignored), 0
    assert found.weight == pytest.approx(0.5)
    assert found.class_shares == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_a_confidence_at_the_threshold_is_not_above_it():
    sums = pseudo_label_sums(LABELS, CONFIDENCE, PROBABILITIES, TARGET, WEIGHT, LOGITS, threshold=0.5)
    assert sums[:2].tolist() == [3, 2]
    assert statistics(LABELS, CONFIDENCE, PROBABILITIES, TARGET, WEIGHT, LOGITS, threshold=0.4).confident_share == 1


def test_against_a_loop_over_pixels():
    generator = torch.Generator().manual_seed(0)
    probabilities = (4 * torch.randn(3, 5, 7, 9, generator=generator)).softmax(1)
    confidence, labels = probabilities.max(1)
    labels[:, :, 7:] = 255
    confidence[:, :, 7:] = float('nan')  # whatever a padded pixel holds counts nowhere
    target = torch.randint(0, 5, (3, 7, 9), generator=generator)
    target[0, :3] = 255
    weight = torch.rand(3, 7, 9, generator=generator)
    logits = torch.randn(3, 5, 7, 9, generator=generator)
    found = statistics(labels, confidence, probabilities, target, weight, logits)
    rows, mixed = [], []
    for b, y, x in np.ndindex(3, 7, 9):
        p = probabilities[b, :, y, x].double()
        if labels[b, y, x] != 255:
            rows.append([p.max() > 0.968, p.max(), -(p * p.log()).sum(), *(p.argmax() == k for k in range(5))])
        if target[b, y, x] != 255:
            mixed.append([logits[b, :, y, x].argmax() == target[b, y, x], weight[b, y, x]])
    rows, mixed = (np.array(table, dtype=float).mean(0) for table in (rows, mixed))
    scalars = (found.confident_share, found.mean_confidence, found.entropy)
    np.testing.assert_allclose([*scalars, *found.class_shares], rows, rtol=1e-6)
    np.testing.assert_allclose([found.agreement, found.weight], mixed, rtol=1e-6)


def test_sums_of_two_batches_add_up():
    generator = torch.Generator().manual_seed(1)
    probabilities = torch.randn(4, 3, 6, 6, generator=generator).softmax(1)
    confidence, labels = probabilities.max(1)
    labels[0, :5] = 255  # the halves have different numbers of pixels
    tensors = (labels, confidence, probabilities, labels, confidence, probabilities.log())
    whole = pseudo_label_sums(*tensors, threshold=0.5)
    halves = [pseudo_label_sums(*(t[part] for t in tensors), threshold=0.5) for part in (slice(1), slice(1, 4))]
    torch.testing.assert_close(halves[0] + halves[1], whole)
    assert statistics_from_sums(whole.tolist()).agreement == 1


def test_half_precision_counts_exactly():
    """Sums in half precision would end at 65,504."""
    ones = torch.ones(1, 512, 512, dtype=torch.float16)
    probabilities = torch.cat([ones, 0 * ones])[None]
    labels = torch.zeros(1, 512, 512, dtype=torch.long)
    found = statistics(labels, ones, probabilities, labels, ones, probabilities)
    assert (found.mean_confidence, found.weight, found.agreement, found.entropy) == (1, 1, 1, 0)


def test_nothing_to_look_at():
    ignored = torch.full_like(LABELS, 255)
    found = statistics(ignored, CONFIDENCE, PROBABILITIES, ignored, WEIGHT, LOGITS)
    values = [found.confident_share, found.mean_confidence, found.entropy, found.agreement, found.weight]
    assert np.isnan([*values, *found.class_shares]).all()


def test_confusion_and_mean_iou_by_hand():
    truth = torch.tensor([[0, 0, 1, 1], [1, 255, 2, 2]])
    labels = torch.tensor([[0, 1, 1, 1], [0, 0, 255, 1]])
    confusion = confusion_counts(labels, truth, 4)
    assert confusion.tolist() == [[1, 1, 0, 0], [1, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    # IoU 1/3, 2/5, 0; the fourth class occurs nowhere and counts nowhere.
    assert mean_iou(confusion) == pytest.approx(100 * (1 / 3 + 2 / 5 + 0) / 3)
    assert math.isnan(mean_iou(torch.zeros(4, 4, dtype=torch.long)))


def test_mean_iou_is_that_of_mmseg():
    generator = torch.Generator().manual_seed(2)
    truth = torch.randint(0, 6, (3, 20, 20), generator=generator)
    labels = torch.where(torch.rand(3, 20, 20, generator=generator) < 0.6, truth, truth.roll(1, 2))
    truth[:, :4] = 255
    areas = IoUMetric.intersect_and_union(labels, truth, 6, 255)
    expected = IoUMetric.total_area_to_metrics(*areas, ['mIoU'])['IoU']
    assert mean_iou(confusion_counts(labels, truth.byte(), 6)) == pytest.approx(100 * float(np.mean(expected)))
