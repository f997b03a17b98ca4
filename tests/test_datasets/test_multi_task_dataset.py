"""Images of several tasks together, and their endless order."""

from collections import Counter
from itertools import islice

import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmssl.datasets.multi_task import MultiTaskSegDataset
from mmssl.datasets.multi_task_sampler import MultiTaskInfiniteSampler
from mmssl.datasets.paired import PairedDataset
from mmssl.errors import DataError


class Numbers:
    """A dataset whose sample says where it came from."""

    metainfo = {'classes': ('a', 'b')}

    def __init__(self, name, size):
        self.name, self.size = name, size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return {'inputs': torch.full((3, 2, 2), index), 'data_samples': f'{self.name}{index}'}


def make(*sizes, paired=None):
    names = ('segmentation', 'a', 'b')
    sides = {name: Numbers(name[0], size) for name, size in zip(names, sizes, strict=True)}
    if paired:
        sides['segmentation'] = PairedDataset(labeled=Numbers('l', 2), unlabeled=Numbers('u', 3), overlap='off')
    return MultiTaskSegDataset(segmentation=sides.pop('segmentation'), tasks=sides)


def test_samples_by_task():
    dataset = make(2, 5, 3)
    assert (len(dataset), dataset.metainfo['classes']) == (5, ('a', 'b'))
    assert dataset[1, 4, 0]['data_samples'] == {'segmentation': 's1', 'a': 'a4', 'b': 'b0'}
    assert dataset[4]['data_samples'] == {'segmentation': 's0', 'a': 'a4', 'b': 'b1'}
    assert dataset[-1]['data_samples'] == dataset[4]['data_samples']
    assert int(dataset[1, 4, 0]['inputs']['a'][0, 0, 0]) == 4
    assert len(list(dataset)) == 5
    with pytest.raises(IndexError, match='index 5, expected one below 5'):
        dataset[5]
    batch = pseudo_collate([dataset[0, 1, 2], dataset[1, 2, 0]])
    assert batch['data_samples'] == {'segmentation': ['s0', 's1'], 'a': ['a1', 'a2'], 'b': ['b2', 'b0']}
    assert [int(image[0, 0, 0]) for image in batch['inputs']['b']] == [2, 0]


def test_a_paired_side_has_pairs():
    dataset = make(1, 2, 1, paired=True)
    assert dataset.sizes() == [(2, 3), 2, 1]
    assert dataset[(1, 2), 0, 0]['data_samples']['segmentation'] == {'labeled': 'l1', 'unlabeled': 'u2'}
    indices = list(islice(MultiTaskInfiniteSampler(dataset, seed=0), 12))
    assert all(len(index) == 3 and len(index[0]) == 2 for index in indices)
    assert Counter(index[0][1] for index in indices) == {0: 4, 1: 4, 2: 4}


def test_every_image_once_before_one_twice():
    sampler = MultiTaskInfiniteSampler(make(2, 5, 3), seed=7)
    assert len(sampler) == 5
    indices = list(islice(sampler, 30))
    for side, size in enumerate((2, 5, 3)):
        order = [index[side] for index in indices]
        for start in range(0, 30, size):
            assert sorted(order[start : start + size]) == list(range(size))
    assert indices == list(islice(sampler, 30))  # anew
    assert indices != list(islice(MultiTaskInfiniteSampler(make(2, 5, 3), seed=8), 30))
    sampler.skip(4)
    assert list(islice(sampler, 10)) == indices[4:14]
    plain = MultiTaskInfiniteSampler(make(2, 5, 3), shuffle=False, seed=0)
    assert list(islice(plain, 3)) == [(0, 0, 0), (1, 1, 1), (0, 2, 2)]


def test_two_ranks_share_the_places(monkeypatch):
    whole = list(islice(MultiTaskInfiniteSampler(make(2, 5, 3), seed=1), 8))
    halves = []
    for rank in range(2):
        sampler = MultiTaskInfiniteSampler(make(2, 5, 3), seed=1)
        sampler.rank, sampler.world_size = rank, 2
        halves.append(list(islice(sampler, 4)))
    assert halves == [whole[0::2], whole[1::2]]


def test_mistakes():
    with pytest.raises(ValueError, match='expected one or more beside'):
        MultiTaskSegDataset(segmentation=Numbers('s', 1), tasks={})
    with pytest.raises(ValueError, match='expected one or more beside'):
        MultiTaskSegDataset(segmentation=Numbers('s', 1), tasks={'segmentation': Numbers('s', 1)})
    with pytest.raises(DataError, match='MultiTaskSegDataset: a: Numbers has no image, expected at least one'):
        make(1, 0, 1)
    with pytest.raises(ValueError, match=r'Numbers found, expected mmssl.MultiTaskSegDataset'):
        MultiTaskInfiniteSampler(Numbers('s', 1))
    with pytest.raises(ValueError, match='seed=-1'):
        MultiTaskInfiniteSampler(make(1, 1, 1), seed=-1)
    with pytest.raises(ValueError, match=r'skip\(-1\)'):
        MultiTaskInfiniteSampler(make(1, 1, 1), seed=0).skip(-1)
