"""The mIoU that S4, section 3.1, computes from category numbers equals that of mmseg's metric."""

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric

from mmssl.evaluation import PerClassIoUMetric


def mean_iou_by_categories(truths, predictions, classes, ignore=255):
    """Section 3.1 step by step: categories nb_classes * GT + Pred, their counts as a matrix, its diagonal over the
    union. Percent; pixels to ignore are left out, classes in neither too, as mmseg leaves them out."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    for truth, prediction in zip(truths, predictions, strict=True):
        kept = truth.ravel() != ignore
        categories = classes * truth.ravel()[kept].astype(np.int64) + prediction.ravel()[kept]
        matrix += np.bincount(categories, minlength=classes**2).reshape(classes, classes)
    intersection = np.diag(matrix)
    union = matrix.sum(1) + matrix.sum(0) - intersection
    with np.errstate(invalid='ignore'):
        return 100 * np.nanmean(intersection / union)


@pytest.mark.parametrize('metric', [IoUMetric, PerClassIoUMetric])
@pytest.mark.parametrize(('classes', 'present'), [(2, 2), (11, 11), (19, 7)])
def test_both_ways_agree(metric, classes, present):
    generator = np.random.default_rng(classes)
    truths = [generator.integers(0, present, (24, 32)) for _ in range(5)]
    # Half of the pixels right, and some to ignore.
    predictions = [
        np.where(generator.random(t.shape) < 0.5, t, generator.integers(0, present, t.shape)) for t in truths
    ]
    for truth in truths:
        truth[generator.random(truth.shape) < 0.1] = 255
    evaluator = metric(iou_metrics=['mIoU'])
    evaluator.dataset_meta = {'classes': tuple(map(str, range(classes)))}
    for truth, prediction in zip(truths, predictions, strict=True):
        data = {key: {'data': torch.from_numpy(each)[None]} for key, each in (('t', truth), ('p', prediction))}
        evaluator.process({}, [{'gt_sem_seg': data['t'], 'pred_sem_seg': data['p']}])
    found = evaluator.evaluate(len(truths))['mIoU']
    assert found == pytest.approx(mean_iou_by_categories(truths, predictions, classes), abs=0.006)  # two decimals


def test_by_hand():
    truth, prediction = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]])
    assert mean_iou_by_categories([truth], [prediction], 2) == pytest.approx(100 * (1 / 2 + 2 / 3) / 2)
