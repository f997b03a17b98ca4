import json
import math

import pytest
import torch

from mmssl.apis.metrics_file import write_metrics
from mmssl.errors import DataError
from mmssl.evaluation.per_class_iou import PerClassIoUMetric


def evaluate(predictions, labels, classes=('a', 'b', 'c')):
    metric = PerClassIoUMetric(iou_metrics=['mIoU'])
    metric.dataset_meta = {'classes': classes}
    for prediction, label in zip(predictions, labels, strict=True):
        sample = {
            'pred_sem_seg': {'data': torch.tensor([prediction])},
            'gt_sem_seg': {'data': torch.tensor([label])},
            'img_path': 'street.png',
        }
        metric.process({}, [sample])
    return metric, metric.evaluate(len(predictions))


def test_by_hand():
    """Over both images: a 2 of 4 pixels, b 1 of 3, c 1 of 1; the ignored pixel counts nowhere."""
    metric, means = evaluate(
        [[[0, 0], [1, 1]], [[0, 1], [2, 0]]],
        [[[0, 1], [1, 255]], [[0, 0], [2, 1]]],
    )
    # a: intersection 2, union 2 + (0,1)->1 + (1,0)... counted below
    a_union, b_union, c_union = 2 + 1 + 1 + 1, 1 + 1 + 1 + 1, 1
    assert metric.per_class['a']['IoU'] == pytest.approx(round(100 * 2 / a_union, 2))
    assert metric.per_class['b']['IoU'] == pytest.approx(round(100 * 1 / b_union, 2))
    assert metric.per_class['c']['IoU'] == pytest.approx(100 * 1 / c_union)
    assert means['mIoU'] == pytest.approx((40 + 25 + 100) / 3, abs=0.01)
    assert means['aAcc'] == pytest.approx(100 * 4 / 7, abs=0.01)


def test_a_class_that_never_occurs_is_not_averaged_and_null_in_the_file(tmp_path):
    metric, means = evaluate([[[0, 0]]], [[[0, 0]]])
    assert math.isnan(metric.per_class['b']['IoU'])
    assert means['mIoU'] == pytest.approx(100)
    content = json.loads(write_metrics(tmp_path, 'x.pth', means, [metric]).read_text())
    assert content['per_class']['b'] == {'IoU': None, 'Acc': None}
    assert content['per_class']['a'] == {'IoU': 100.0, 'Acc': 100.0}
    assert content['checkpoint'] == 'x.pth'
    assert content['mIoU'] == 100.0


def test_an_unknown_label_stops_the_evaluation():
    with pytest.raises(DataError, match=r'street.png: mask has label 3, expected 0 to 2 or 255'):
        evaluate([[[0, 0]]], [[[0, 3]]])
