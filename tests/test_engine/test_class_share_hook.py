"""Shares of the labelled masks for distribution alignment, of two hand-made masks."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from mmssl.datasets.folder import FolderDataset
from mmssl.engine.hooks import ClassShareHook
from mmssl.models.teachers.distribution_alignment import DistributionAlignment


@pytest.fixture
def dataset(tmp_path):
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
    for name, mask in (('a', [[0, 0, 1, 255]]), ('b', [[2, 0, 1, 0]])):
        Image.fromarray(np.zeros((1, 4, 3), np.uint8)).save(tmp_path / 'images' / f'{name}.png')
        Image.fromarray(np.array(mask, np.uint8)).save(tmp_path / 'masks' / f'{name}.png')
    return FolderDataset(
        data_root=str(tmp_path),
        data_prefix={'img_path': 'images', 'seg_map_path': 'masks'},
        metainfo={'classes': ['x', 'y', 'z'], 'palette': [[0, 0, 0], [1, 1, 1], [2, 2, 2]]},
        pipeline=[{'type': 'mmssl.LoadSegAnnotations'}],
    )


def runner_of(dataset, alignment):
    lines = []
    paired = SimpleNamespace(labeled=dataset, unlabeled=None, metainfo=dataset.metainfo)
    return SimpleNamespace(
        model=torch.nn.Sequential(alignment),
        train_dataloader=SimpleNamespace(dataset=paired),
        logger=SimpleNamespace(info=lines.append),
        lines=lines,
    )


def test_shares_of_the_labelled_side(dataset):
    runner = runner_of(dataset, DistributionAlignment(num_classes=3, target='labeled'))
    ClassShareHook(cache_dir=None).before_train(runner)
    assert runner.model[0].target.tolist() == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    assert runner.lines == ['Distribution alignment towards the labelled masks: x 57.14%, y 28.57%, z 14.29%']


def test_a_model_that_asks_for_nothing(dataset):
    with pytest.raises(ValueError, match="ClassShareHook: no distribution_alignment with target='labeled'"):
        ClassShareHook().before_train(runner_of(dataset, DistributionAlignment(num_classes=3, target=[1, 1, 1])))
