"""Means over class subsets: a confusion by hand, in fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmssl.datasets.synthia import SYNTHIA_13, SYNTHIA_16
from mmssl.evaluation.per_class_iou import PerClassIoUMetric, subset_means

CLASSES = ('road', 'wall', 'terrain', 'sky', 'train')
# confusion[truth][prediction] in pixels; nobody has seen or predicted a train
CONFUSION = [
    [50, 5, 0, 1, 0],
    [4, 20, 0, 6, 0],
    [7, 3, 0, 2, 0],  # terrain is in the data and never predicted
    [0, 0, 0, 30, 0],
    [0, 0, 0, 0, 0],
]


def iou(index: int) -> Fraction:
    union = sum(CONFUSION[index]) + sum(row[index] for row in CONFUSION) - CONFUSION[index][index]
    return Fraction(CONFUSION[index][index], union)


def evaluate(subsets, **kwargs):
    metric = PerClassIoUMetric(iou_metrics=['mIoU'], class_subsets=subsets, **kwargs)
    metric.dataset_meta = {'classes': CLASSES}
    pairs = [(t, p) for t in range(5) for p in range(5) for _ in range(CONFUSION[t][p])] + [(255, 1)] * 9
    # two images, so that counts are summed over images and not averaged
    for part in (pairs[:61], pairs[61:]):
        truth, prediction = (torch.tensor([[values]]) for values in zip(*part, strict=True))
        sample = {'pred_sem_seg': {'data': prediction[0]}, 'gt_sem_seg': {'data': truth[0]}, 'img_path': 'a.png'}
        metric.process({}, [sample])
    return metric, metric.evaluate(2)


def percent(*indices) -> float:
    return float(100 * sum(iou(i) for i in indices) / len(indices))


def test_by_hand():
    assert [iou(i) for i in range(4)] == [Fraction(50, 67), Fraction(20, 38), 0, Fraction(30, 39)]
    _, means = evaluate({'mIoU3': ['road', 'wall', 'sky'], 'mIoU2': ['sky', 'road']})
    # The 7 pixels of terrain that were called road stand in the union of road.
    assert means['mIoU3'] == pytest.approx(percent(0, 1, 3), abs=0.005)
    assert means['mIoU2'] == pytest.approx(percent(0, 3), abs=0.005)
    assert means['mIoU'] == pytest.approx(percent(0, 1, 2, 3), abs=0.005)
    assert means['mIoU3'] == 68.06  # 74.627, 52.632 and 76.923


def test_a_class_that_is_never_predicted_counts_and_one_that_never_occurs_does_not():
    _, means = evaluate({'seen': ['road', 'terrain'], 'unseen': ['sky', 'train'], 'none': ['train']})
    assert means['seen'] == pytest.approx(percent(0, 2), abs=0.005)
    assert means['unseen'] == pytest.approx(percent(3), abs=0.005)
    assert math.isnan(means['none'])


def test_absent_classes_are_named_in_one_line(monkeypatch):
    lines = []
    monkeypatch.setattr('mmssl.evaluation.per_class_iou.print_log', lambda line, logger: lines.append(line))
    evaluate({'a': ['sky', 'train'], 'b': ['road'], 'c': ['train', 'wall']})
    assert lines == ['classes that occur nowhere, left out of the mean: mIoU: train; a: train; c: train']


def test_without_subsets_the_keys_are_those_of_mmseg():
    _, means = evaluate(None)
    assert set(means) == {'aAcc', 'mIoU', 'mAcc'}


def test_subset_means():
    means, absent = subset_means([0.5, np.nan, 0.25], 'abc', {'x': ['a', 'c'], 'y': ['b', 'c'], 'z': ['b']})
    assert means['x'] == 0.375 and means['y'] == 0.25 and math.isnan(means['z'])
    assert absent == {'y': ['b'], 'z': ['b']}


def test_faults_are_found_before_any_image():
    metric = PerClassIoUMetric(class_subsets={'mIoU2': ['sky', 'skye']})
    with pytest.raises(ValueError) as caught:
        metric.dataset_meta = {'classes': CLASSES}
    assert str(caught.value) == (
        "class_subsets['mIoU2'] has skye, expected classes of the data: road, wall, terrain, sky, train"
    )
    with pytest.raises(ValueError, match=r"class_subsets\['x'\] is \[\], expected one class or more, each once"):
        PerClassIoUMetric(class_subsets={'x': []})
    with pytest.raises(ValueError, match='each once'):
        PerClassIoUMetric(class_subsets={'x': ['sky', 'sky']})
    with pytest.raises(ValueError, match='class_subsets has the name mIoU, expected another'):
        PerClassIoUMetric(class_subsets={'mIoU': ['sky']})
    with pytest.raises(ValueError, match='expected mIoU in it'):
        PerClassIoUMetric(iou_metrics=['mDice'], class_subsets={'x': ['sky']})


def test_the_config_has_the_classes_of_synthia(repository):
    cfg = Config.fromfile(repository / 'configs/_base_/datasets/synthia_512x512.py')
    assert tuple(cfg.synthia_16) == SYNTHIA_16 and len(SYNTHIA_16) == 16
    assert tuple(cfg.synthia_13) == SYNTHIA_13 and len(SYNTHIA_13) == 13
    assert cfg.val_evaluator.class_subsets == {'mIoU16': list(SYNTHIA_16), 'mIoU13': list(SYNTHIA_13)}
