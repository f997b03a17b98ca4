"""One and two ranks give the same numbers where the images do not divide: none counts twice, none is lost."""

import json
import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from forked_runs import run_ranks
from mmdet.structures.mask import BitmapMasks
from mmengine.dataset import DefaultSampler
from mmengine.dist import all_reduce, get_rank

from mmssl.evaluation import ColorizationError, CutoutSimilarityMetric, PerClassIoUMetric, ReconstructionError
from mmssl.evaluation.pseudo_label_statistics import pseudo_label_sums, statistics_from_sums

SIZE = (6, 8)
CLASSES = ('road', 'sky', 'tree', 'car', 'train')  # the last occurs nowhere
SUBSETS = {'mIoU2': ['road', 'car'], 'mIoU3': ['sky', 'tree', 'train']}
METRICS = {
    'iou': lambda: PerClassIoUMetric(iou_metrics=['mIoU'], class_subsets=SUBSETS),
    'reconstruction': lambda: ReconstructionError(region='erased'),
    'colorization': ColorizationError,
    'cutout': lambda: CutoutSimilarityMetric(instances=['road', 'sky']),
}


def write_images(folder: Path, number: int) -> None:
    for index in range(number):
        noise = np.random.default_rng(index).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{index}.png'), noise)


def sample(folder: Path, index: int) -> tuple[torch.Tensor, dict]:
    """Input and predictions of an image; every image has other numbers, the third no instance."""
    rng = np.random.default_rng(100 + index)
    ids = [torch.from_numpy(rng.integers(0, 4, (1, *SIZE))) for _ in range(2)]
    pictures = [torch.from_numpy(rng.integers(0, 256, (3, *SIZE), dtype=np.uint8)) for _ in range(3)]
    colours = [torch.from_numpy(rng.normal(0, 40, (2, *SIZE))) for _ in range(2)]
    masks = rng.random((2, *SIZE)) < 0.5
    number = 0 if index == 2 else 1
    found = {
        'img_path': str(folder / f'{index}.png'),
        'pred_sem_seg': {'data': ids[0]},
        'gt_sem_seg': {'data': ids[1]},
        'gt_image': {'data': pictures[1]},
        'gt_erased': {'data': torch.from_numpy(rng.random((1, *SIZE)) < 0.4)},
        'gt_ab': {'data': colours[1]},
        'pred_instances': {
            'masks': torch.from_numpy(masks[:1]),
            'labels': torch.tensor([0]),
            'scores': torch.tensor([0.9]),
        },
        'gt_instances': {
            'masks': BitmapMasks([masks[1].astype(np.uint8)] * number, *SIZE),
            'labels': torch.tensor([1] * number),
        },
    }
    return pictures[2], found | {'pictures': pictures[0].double(), 'colours': colours[0]}


def evaluate(name: str, folder: Path, number: int) -> dict:
    """As a test loop does, in batches of two, with the images of this rank."""
    metric = METRICS[name]()
    metric.dataset_meta = {'classes': CLASSES}
    indices = list(DefaultSampler(range(number), shuffle=False))
    for start in range(0, len(indices), 2):
        inputs, samples = zip(*(sample(folder, index) for index in indices[start : start + 2]), strict=True)
        key = 'colours' if name == 'colorization' else 'pictures'
        samples = [{**each, 'seg_logits': {'data': each[key]}} for each in samples]
        metric.process({'inputs': list(inputs)}, samples)
    values = metric.evaluate(number)
    if name == 'iou' and get_rank() == 0:
        values = {**values, **{f'{key}.IoU': found['IoU'] for key, found in metric.per_class.items()}}
    return values


def pseudo_label_statistics(number: int) -> dict:
    """As PseudoLabelHook does: sums of what a rank has, added up; here the images divide unevenly over ranks."""
    rank, world = get_rank(), int(os.environ.get('WORLD_SIZE', 1))
    total = torch.zeros(7 + 4, dtype=torch.float64)
    for index in range(rank, number, world):
        rng = np.random.default_rng(index)
        logits, student = (torch.from_numpy(rng.normal(size=(1, 4, *SIZE))) for _ in range(2))
        probabilities = logits.softmax(1)
        labels = probabilities.argmax(1)
        labels[:, : index % 3] = 255
        total += pseudo_label_sums(
            labels, probabilities.amax(1), probabilities, labels, torch.ones(1, *SIZE), student, threshold=0.5
        )
    all_reduce(total)
    return vars(statistics_from_sums(total.tolist()))


def measure(folder: Path, number: int) -> None:
    """One rank; the first writes the numbers."""
    torch.distributed.init_process_group('gloo')
    found = {name: evaluate(name, folder, number) for name in METRICS}
    found['pseudo-labels'] = pseudo_label_statistics(number)
    if get_rank() == 0:
        (folder / 'found.json').write_text(json.dumps(found, default=float))


@pytest.mark.parametrize('number', [5, 7])
def test_same_as_on_one_rank(tmp_path, number):
    write_images(tmp_path, number)
    log = tmp_path / 'log'
    assert run_ranks(measure, tmp_path, number, log=log) == [0, 0], (tmp_path / 'log.0').read_text()
    found = json.loads((tmp_path / 'found.json').read_text())
    for name in METRICS:
        expected = evaluate(name, tmp_path, number)
        assert found[name].keys() == expected.keys()
        for key, value in expected.items():
            assert found[name][key] == pytest.approx(value, abs=1e-9, nan_ok=True), (name, key)
    for key, value in pseudo_label_statistics(number).items():
        assert found['pseudo-labels'][key] == pytest.approx(value, abs=1e-12), key


def test_the_numbers_depend_on_every_image(tmp_path):
    """A padded image that counted twice, or a lost one, would be seen."""
    write_images(tmp_path, 7)
    for name in METRICS:
        assert evaluate(name, tmp_path, 7) != evaluate(name, tmp_path, 6), name


def test_a_class_that_occurs_nowhere_is_told_and_not_averaged(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr('mmssl.evaluation.per_class_iou.print_log', lambda line, logger: lines.append(line))
    values = evaluate('iou', tmp_path, 5)
    iou = [values[f'{name}.IoU'] for name in CLASSES]
    assert math.isnan(iou[4]) and not any(map(math.isnan, iou[:4]))
    assert values['mIoU'] == pytest.approx(np.mean(iou[:4]), abs=0.01)
    assert values['mIoU2'] == pytest.approx((iou[0] + iou[3]) / 2, abs=0.01)
    assert values['mIoU3'] == pytest.approx((iou[1] + iou[2]) / 2, abs=0.01)
    assert lines == ['classes that occur nowhere, left out of the mean: mIoU: train; mIoU3: train']
