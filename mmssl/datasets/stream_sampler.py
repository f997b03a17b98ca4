"""Endless orders of samples from one side or several, in which any place can be looked up."""

from collections.abc import Iterator, Sequence

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler


class ShuffledStream:
    """An endless order of the images of one side: permutation after permutation.

    Permutation n depends on the seed, the side and n alone, so that any place of the order can be looked up.

    Args:
        size: number of images, at least 1.
        seed: of the run, at least 0.
        side: number of the side; two sides of a seed are independent.
        shuffle: False gives 0 to size - 1 again and again.
    """

    def __init__(self, size: int, seed: int, side: int, shuffle: bool = True) -> None:
        self.size = size
        self.seed = seed
        self.side = side
        self.shuffle = shuffle
        self._number: int | None = None
        self._order: np.ndarray | None = None

    def permutation(self, number: int) -> np.ndarray:
        """The images in the order of permutation ``number``: (size,) int64."""
        if number != self._number:
            order = np.arange(self.size)
            if self.shuffle:
                order = np.random.default_rng((self.seed, self.side, number)).permutation(order)
            self._number, self._order = number, order
        return self._order

    def __getitem__(self, position: int) -> int:
        """The image at a place of the order, from 0."""
        number, place = divmod(position, self.size)
        return int(self.permutation(number)[place])


class StreamSampler(Sampler):
    """An endless order of samples, drawn from several sides; rank r of R takes places r, r + R, r + 2R, ...

    Args:
        sizes: images of each side.
        shuffle: whether to draw the orders; False takes every side in its own order.
        seed: at least 0, the same on all ranks; None draws one and shares it.

    Raises:
        ValueError: the seed is negative.
    """

    def __init__(self, sizes: Sequence[int], shuffle: bool, seed: int | None) -> None:
        if seed is not None and seed < 0:
            raise ValueError(f'{type(self).__name__}: seed={seed}, expected 0 or more')
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.shuffle = shuffle
        self.sizes = tuple(sizes)
        self.first = 0

    def skip(self, num_samples: int) -> None:
        """Let the next iterator begin later, without drawing what lies before.

        Args:
            num_samples: how many samples of this rank to leave out: iterations times batch size.

        Raises:
            ValueError: a negative number.
        """
        if num_samples < 0:
            raise ValueError(f'{type(self).__name__}: skip({num_samples}), expected 0 or more samples')
        self.first += num_samples

    def __iter__(self) -> Iterator[tuple]:
        """The samples of this rank, an index a side; each iterator begins anew, behind what was skipped."""
        sides = [ShuffledStream(size, self.seed, side, self.shuffle) for side, size in enumerate(self.sizes)]
        position = self.rank + self.first * self.world_size
        while True:
            yield tuple(side[position] for side in sides)
            position += self.world_size

    def __len__(self) -> int:
        """Number of images of the largest side, as the dataset counts; the iterator itself has no end."""
        return max(self.sizes)

    def set_epoch(self, epoch: int) -> None:
        """Called by loops that count epochs; an endless order has none."""
