"""Batches that can begin anywhere, and samples whose augmentations depend on their place alone."""

import itertools
import random

import numpy as np
import pytest
import torch
from mmdet.datasets.samplers import AspectRatioBatchSampler as MMDetBatches
from mmengine.dataset import DefaultSampler
from mmengine.dataset import InfiniteSampler as MMEngineInfiniteSampler
from torch.utils.data import BatchSampler, DataLoader, RandomSampler

from mmssl.datasets.aspect_ratio_batches import AspectRatioBatchSampler
from mmssl.datasets.infinite_sampler import InfiniteSampler
from mmssl.datasets.numbered_batches import Draw, NumberedBatches, SeededDataset
from mmssl.engine.loops.resumable_train_loops import numbered_loader
from mmssl.errors import DataError
from mmssl.random_state import SAMPLE, STEP, seed_all


class Images:
    """Indices with sizes; counts who asks for them."""

    def __init__(self, number: int, upright: int = 3) -> None:
        self.sizes = [(3, 4) if index % upright == 0 else (4, 3) for index in range(number)]
        self.asked = 0

    def __len__(self) -> int:
        return len(self.sizes)

    def get_data_info(self, index: int) -> dict:
        return dict(zip(('width', 'height'), self.sizes[index], strict=True))

    def __getitem__(self, index: int) -> tuple:
        self.asked += 1
        return index, random.random(), float(np.random.rand()), float(torch.rand(()))


def ranked(sampler, rank: int, world: int):
    sampler.rank, sampler.world_size = rank, world
    return sampler


def take(batches, number: int) -> list:
    return list(itertools.islice(batches, number))


SAMPLERS = {
    'ours': lambda data: BatchSampler(ranked(InfiniteSampler(data, seed=1), 1, 2), 3, False),
    'default': lambda data: BatchSampler(DefaultSampler(data, seed=1), 3, False),
    'mmengine': lambda data: BatchSampler(MMEngineInfiniteSampler(data, seed=1), 3, False),
    'aspect ratio': lambda data: AspectRatioBatchSampler(ranked(InfiniteSampler(data, seed=1), 1, 2), 3),
    'mmdet': lambda data: MMDetBatches(DefaultSampler(data, seed=1), 3),
}


@pytest.mark.parametrize('kind', SAMPLERS)
@pytest.mark.parametrize('first', [0, 1, 4, 5, 23])
def test_a_later_beginning_gives_the_same_batches(kind, first):
    whole, late = (NumberedBatches(SAMPLERS[kind](Images(14)), endless=True) for _ in range(2))
    late.begin(0, first)
    expected = take(whole, 40)[first:]
    assert take(late, 40 - first) == expected
    assert len({draw[1:] for batch in expected for draw in batch}) == sum(map(len, expected))
    assert {len(batch) for batch in expected} <= ({3, 2} if kind in ('default', 'mmdet') else {3})


@pytest.mark.parametrize('first', [0, 2, 5])
def test_an_epoch_ends(first):
    data = Images(14)
    batches = NumberedBatches(BatchSampler(DefaultSampler(data, seed=1), 3, False), endless=False)
    batches.begin(2, first)
    sampler = DefaultSampler(data, seed=1)
    sampler.set_epoch(2)
    expected = list(sampler)[3 * first :]
    found = list(batches)
    assert [draw.index for batch in found for draw in batch] == expected
    assert [(draw.epoch, draw.batch, draw.place) for batch in found for draw in batch] == [
        (2, *divmod(place, 3)) for place in range(3 * first, 14)
    ]
    assert len(batches) == 5


def test_no_batch_is_an_error_and_not_an_endless_search():
    batches = NumberedBatches(BatchSampler(DefaultSampler(Images(2), seed=0), 3, True), endless=True)
    with pytest.raises(DataError, match='BatchSampler: no batch'):
        next(iter(batches))


@pytest.mark.parametrize('rank', [0, 1, 2])
@pytest.mark.parametrize('upright', [2, 5, 50])
def test_aspect_ratio_batches_are_those_of_mmdet(rank, upright):
    data = Images(31, upright)
    sampler = ranked(InfiniteSampler(data, seed=7), rank, 3)
    expected = take(MMDetBatches(sampler, 4), 60)
    assert take(AspectRatioBatchSampler(sampler, 4), 60) == expected
    for skipped in (1, 2, 19, 59):
        late = AspectRatioBatchSampler(ranked(InfiniteSampler(data, seed=7), rank, 3), 4)
        late.skip(skipped)
        assert take(late, 60 - skipped) == expected[skipped:]


def test_an_infinite_order_begins_anywhere_at_once():
    data = Images(14)
    sampler = InfiniteSampler(data, seed=3)
    order = take(sampler, 28)
    assert sorted(order[:14]) == sorted(order[14:]) == list(range(14))
    assert order[:14] != order[14:]
    sampler.skip(10**15)
    assert len(set(take(sampler, 4))) == 4
    assert data.asked == 0
    plain = InfiniteSampler(data, shuffle=False, seed=3)
    assert take(plain, 16) == [*range(14), 0, 1]
    with pytest.raises(ValueError, match='Images has no image'):
        InfiniteSampler(Images(0), seed=0)


def draws(loader: DataLoader, number: int) -> list:
    return take(loader, number)


def fingerprints(workers: int, persistent: bool = False, rank: int = 0, epochs: int = 3) -> list[tuple]:
    """What the augmentations of every sample draw, as a training by epochs sees them."""
    sampler = ranked(DefaultSampler(Images(8), shuffle=False, round_up=True), rank, 2)
    plain = DataLoader(
        Images(8),
        batch_size=2,
        sampler=sampler,
        num_workers=workers,
        collate_fn=list,
        persistent_workers=persistent,
    )
    loader = numbered_loader(plain, seed=5, rank=rank, endless=False)
    seen = []
    for epoch in range(epochs):
        loader.batch_sampler.begin(epoch, 0)
        seen += [sample[1:] for batch in loader for sample in batch]
    return seen


def test_no_two_workers_ranks_or_epochs_share_a_stream():
    """R36: each sample's draws of Python, numpy and torch are seen once, whoever loads it."""
    seen = [fingerprints(workers, persistent, rank) for workers, persistent in ((0, False), (2, False), (2, True))
            for rank in (0, 1)]  # fmt: skip
    ranks = seen[0], seen[1]
    assert seen[2:4] == seen[4:6] == list(ranks)  # the number of workers changes nothing
    for generator in range(3):
        values = [sample[generator] for rank in ranks for sample in rank]
        assert len(set(values)) == len(values) == 24


def test_mmengines_workers_repeat_themselves():
    """The reason for all this: without persistent workers each epoch draws the first one's numbers."""
    from functools import partial

    from mmengine.dataset import default_collate, worker_init_fn  # noqa: F401

    init = partial(worker_init_fn, num_workers=2, rank=0, seed=5, disable_subprocess_warning=True)
    loader = DataLoader(Images(8), batch_size=2, num_workers=2, collate_fn=list, worker_init_fn=init)
    first, second = ([sample[2] for batch in loader for sample in batch] for _ in range(2))
    assert first == second


def test_a_seed_of_an_iteration_repeats_and_differs_from_all_others():
    seen = set()
    for purpose, rank, epoch, number, place in itertools.product((STEP, SAMPLE), (0, 1), (0, 1), (0, 1), (0, 1)):
        both = []
        for _ in range(2):
            seed_all(0, rank, purpose, epoch, number, place)
            both.append((random.random(), float(np.random.rand()), float(torch.rand(()))))
        assert both[0] == both[1]
        seen.update(both[0])
    assert len(seen) == 32 * 3


def test_a_dataset_of_draws():
    data = SeededDataset(Images(4), seed=1, rank=0)
    assert len(data) == 4
    assert data[Draw(2, 0, 1, 0)] == data[Draw(2, 0, 1, 0)] != data[Draw(2, 0, 1, 1)]


def test_a_stream_of_data_is_refused():
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(3))

    with pytest.raises(DataError, match='Stream: no batches of indices'):
        numbered_loader(DataLoader(Stream(), batch_size=None), 0, 0, endless=True)


def test_random_samplers_of_torch_are_replayed_by_their_indices():
    def loader():
        generator = torch.Generator().manual_seed(2)
        return NumberedBatches(BatchSampler(RandomSampler(Images(5), generator=generator), 2, False), endless=True)

    late = loader()
    late.begin(0, 7)
    assert take(late, 3) == take(loader(), 10)[7:]
