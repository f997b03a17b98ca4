"""Batches of images of similar shape, without end."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import BatchSampler

from mmssl.datasets.infinite_sampler import InfiniteSampler
from mmssl.datasets.stream_sampler import ShuffledStream
from mmssl.registry import DATA_SAMPLERS

UNKNOWN, UPRIGHT, WIDE = -1, 0, 1


@DATA_SAMPLERS.register_module()
class AspectRatioBatchSampler(BatchSampler):
    """Collect the images of an endless sampler into batches of upright and of wide ones, as they come.

    The batches are those of mmdet's sampler of that name over the same order of images. mmdet's cannot begin later
    without looking at every image before; here that is done a permutation of the images at a time, about a
    millisecond each.

    Args:
        sampler: ``mmssl.InfiniteSampler`` over a dataset whose ``get_data_info`` gives ``width`` and ``height``.
        batch_size: images of a batch, at least 1.

    Raises:
        TypeError: another sampler.
        ValueError: ``batch_size`` is below 1.
    """

    def __init__(self, sampler: InfiniteSampler, batch_size: int) -> None:
        if not isinstance(sampler, InfiniteSampler):
            raise TypeError(f'AspectRatioBatchSampler: {type(sampler).__name__} found, expected mmssl.InfiniteSampler')
        super().__init__(sampler, batch_size, drop_last=False)
        self._shapes = np.full(len(sampler), UNKNOWN, dtype=np.int8)
        self._held: tuple[list[int], list[int]] = [], []

    def __iter__(self) -> Iterator[list[int]]:
        """Batches of indices; each iterator begins anew, behind what was skipped."""
        waiting = tuple(list(images) for images in self._held)
        for index in self.sampler:
            images = waiting[self._shape(index)]
            images.append(index)
            if len(images) == self.batch_size:
                yield images.copy()
                images.clear()

    def skip(self, batches: int) -> None:
        """Let the next iterator begin later; to be called once.

        Args:
            batches: how many of this rank to leave out, at least 1.
        """
        size, rank, world = len(self.sampler), self.sampler.rank, self.sampler.world_size
        stream = ShuffledStream(size, self.sampler.seed, 0, self.sampler.shuffle)
        for index in range(size):
            self._shape(index)
        held = [np.empty(0, dtype=np.int64)] * 2
        number = samples = 0
        while batches:
            # Places of this rank in the permutation: those whose number in the whole order leaves it when divided.
            images = stream.permutation(number)[(rank - number * size) % world :: world]
            places = [np.flatnonzero(self._shapes[images] == shape) for shape in (UPRIGHT, WIDE)]
            full = [at[self.batch_size - 1 - len(held[s]) :: self.batch_size] for s, at in enumerate(places)]
            full = np.sort(np.concatenate(full))[:batches]
            batches -= len(full)
            used = len(images) if batches else full[-1] + 1
            samples += used
            for shape in (UPRIGHT, WIDE):
                all_of_shape = np.concatenate([held[shape], images[places[shape][places[shape] < used]]])
                held[shape] = all_of_shape[len(all_of_shape) // self.batch_size * self.batch_size :]
            number += 1
        self._held = held[UPRIGHT].tolist(), held[WIDE].tolist()
        self.sampler.skip(int(samples))

    def _shape(self, index: int) -> int:
        if self._shapes[index] == UNKNOWN:
            info = self.sampler.dataset.get_data_info(index)
            self._shapes[index] = UPRIGHT if info['width'] < info['height'] else WIDE
        return self._shapes[index]
