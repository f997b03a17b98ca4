"""The order of pairs: each image once before one twice, ranks, seeds, skipping."""

from collections import Counter
from itertools import islice

import pytest
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import DataLoader

from mmssl.datasets import stream_sampler as module
from mmssl.datasets.paired_sampler import PairedInfiniteSampler


class Pairs:
    def __init__(self, labeled=5, unlabeled=8):
        self.labeled, self.unlabeled = range(labeled), range(unlabeled)

    def __len__(self):
        return max(len(self.labeled), len(self.unlabeled))

    def __getitem__(self, index):
        return index


def take(count, dataset=None, skip=0, **arguments):
    sampler = PairedInfiniteSampler(dataset or Pairs(), **{'seed': 0, **arguments})
    sampler.skip(skip)
    return list(islice(sampler, count))


def test_each_image_once_before_one_twice():
    pairs = take(400)
    for side, size in enumerate((5, 8)):
        images = [pair[side] for pair in pairs]
        rounds = [images[start : start + size] for start in range(0, 400, size)]
        assert all(sorted(part) == list(range(size)) for part in rounds)
        assert len({tuple(part) for part in rounds}) > 20  # reshuffled every time
    # 40 combinations in 400 pairs: a fixed pairing would give 8, or the least common multiple
    assert len(set(pairs)) == 40
    assert max(Counter(pairs).values()) < 30


def test_sides_of_one_size_are_independent():
    pairs = take(600, Pairs(6, 6))
    assert len(set(pairs)) == 36
    assert sum(first == second for first, second in pairs) == pytest.approx(100, abs=40)


def test_the_seed_decides():
    assert take(50) == take(50)
    assert take(50) != take(50, seed=1)
    # one side does not see how large the other is
    assert [first for first, _ in take(50)] == [first for first, _ in take(50, Pairs(5, 3))]
    assert len(take(3, seed=None)) == 3


def test_without_shuffling():
    assert take(9, Pairs(2, 3), shuffle=False) == [(n % 2, n % 3) for n in range(9)]


def test_ranks_share_one_order(monkeypatch):
    whole = take(60)
    for world_size in (2, 3):
        parts = []
        for rank in range(world_size):
            monkeypatch.setattr(module, 'get_dist_info', lambda: (rank, world_size))  # noqa: B023
            parts.append(take(60 // world_size))
            assert parts[-1][4:] == take(60 // world_size - 4, skip=4)
        assert [pair for step in zip(*parts, strict=True) for pair in step] == whole


def test_skipping_looks_places_up(monkeypatch):
    assert take(20, skip=17) == take(37)[17:]
    sampler = PairedInfiniteSampler(Pairs(3000, 25000), seed=0)
    draws = []
    generator = module.np.random.default_rng
    monkeypatch.setattr(module.np.random, 'default_rng', lambda key: (draws.append(key), generator(key))[1])
    sampler.skip(10**9)
    next(iter(sampler))
    assert draws == [(0, 0, 10**9 // 3000), (0, 1, 10**9 // 25000)]
    with pytest.raises(ValueError, match=r'skip\(-1\), expected 0 or more'):
        sampler.skip(-1)


def test_each_iterator_begins_anew_and_loaders_take_it():
    sampler = DATA_SAMPLERS.build({'type': 'mmssl.PairedInfiniteSampler', 'dataset': Pairs(), 'seed': 7})
    assert list(islice(sampler, 30)) == list(islice(sampler, 30))
    assert len(sampler) == 8
    loader = DataLoader(Pairs(), batch_size=4, sampler=sampler, collate_fn=list)
    assert next(iter(loader)) == list(islice(sampler, 4))


def test_bad_arguments():
    with pytest.raises(ValueError, match='list found, expected mmssl.PairedDataset'):
        PairedInfiniteSampler([1, 2])
    with pytest.raises(ValueError, match='seed=-1, expected 0 or more'):
        PairedInfiniteSampler(Pairs(), seed=-1)
