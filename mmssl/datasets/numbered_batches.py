"""Samples whose augmentations depend on their place in the training alone."""

from collections.abc import Iterator
from typing import NamedTuple

from mmengine.dataset import DefaultSampler
from torch.utils.data import BatchSampler

from mmssl.errors import DataError
from mmssl.random_state import SAMPLE, seed_all


class Draw(NamedTuple):
    """A sample to load, and its place in the training."""

    index: int | tuple
    """As the dataset takes it."""
    epoch: int
    """Number of the pass over the data, from 0; 0 with a sampler without end."""
    batch: int
    """Number of the batch in that pass, from 0."""
    place: int
    """Place in the batch, from 0."""


class SeededDataset:
    """A dataset that seeds all generators before it loads a sample.

    mmengine seeds a worker once, when it starts: with the same number in every epoch, so that without persistent
    workers each epoch repeats the augmentations of the first (0.10.7); and a resumed run starts its workers again.

    Args:
        dataset: anything with ``__getitem__`` and a length.
        seed: of the run, at least 0.
        rank: of this process, at least 0.
    """

    def __init__(self, dataset, seed: int, rank: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.rank = rank

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: Draw):
        """The sample of a :class:`Draw`."""
        seed_all(self.seed, self.rank, SAMPLE, draw.epoch, draw.batch, draw.place)
        return self.dataset[draw.index]


class NumberedBatches:
    """The batches of a batch sampler, with their places; they can begin anywhere.

    To begin later nothing is loaded. Samplers that can ``skip`` (those of mmssl) and mmengine's ``DefaultSampler`` go
    there at once; of others the indices are drawn and dropped.

    Args:
        batch_sampler: gives lists of indices.
        endless: whether to go on with the next epoch where the sampler ends.
    """

    def __init__(self, batch_sampler, endless: bool) -> None:
        self.batch_sampler = batch_sampler
        self.endless = endless
        self._epoch = 0
        self._first = 0

    def begin(self, epoch: int, first: int) -> None:
        """Where the next iterator begins.

        Args:
            epoch: from 0.
            first: batches to leave out, from that epoch's first one on.
        """
        self._epoch, self._first = epoch, first

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch, left = self._epoch, self._first
        sampler = getattr(self.batch_sampler, 'sampler', None)
        if self.endless and isinstance(sampler, DefaultSampler) and len(self):
            epoch, left = epoch + left // len(self), left % len(self)
        start = self._skip(left)
        while True:
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)
            number = None
            for number, batch in enumerate(self.batch_sampler, start):  # noqa: B007
                if number >= left:
                    yield [Draw(index, epoch, number, place) for place, index in enumerate(batch)]
            if not self.endless:
                return
            if number is None:
                raise DataError(f'{type(self.batch_sampler).__name__}: no batch, fewer images than a batch has')
            epoch, left, start = epoch + 1, max(0, left - number - 1), 0

    def _skip(self, batches: int) -> int:
        """Let the sampler itself begin later; returns the number of batches that it leaves out."""
        plain = type(self.batch_sampler) is BatchSampler
        if not batches:
            return 0
        if hasattr(self.batch_sampler, 'skip'):
            self.batch_sampler.skip(batches)
        elif plain and hasattr(self.batch_sampler.sampler, 'skip'):
            self.batch_sampler.sampler.skip(batches * self.batch_sampler.batch_size)
        else:
            return 0
        return batches
