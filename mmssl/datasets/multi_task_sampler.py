"""An endless order of images, one for each task."""

from collections.abc import Iterator

from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmssl.datasets.multi_task import MultiTaskSegDataset
from mmssl.datasets.paired_sampler import ShuffledStream
from mmssl.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class MultiTaskInfiniteSampler(Sampler):
    """Yield one index for each task, without end; for training loops that count iterations.

    Of each task every image is used once before one is used twice, and the orders are independent. Rank r of R takes
    places r, r + R, r + 2R, ...

    Args:
        dataset: a :class:`~mmssl.datasets.multi_task.MultiTaskSegDataset`.
        shuffle: whether to draw the orders; False takes every side in its own order.
        seed: at least 0, the same on all ranks; None draws one and shares it.

    Raises:
        ValueError: another dataset, or a negative seed.
    """

    def __init__(self, dataset: MultiTaskSegDataset, *, shuffle: bool = True, seed: int | None = None) -> None:
        if not isinstance(dataset, MultiTaskSegDataset):
            name = type(dataset).__name__
            raise ValueError(f'MultiTaskInfiniteSampler: {name} found, expected mmssl.MultiTaskSegDataset')
        if seed is not None and seed < 0:
            raise ValueError(f'MultiTaskInfiniteSampler: seed={seed}, expected 0 or more')
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.shuffle = shuffle
        self.sizes = dataset.sizes()
        self.first = 0

    def skip(self, num_samples: int) -> None:
        """Let the next iterator begin later, without drawing what lies before.

        Args:
            num_samples: how many samples of this rank to leave out: iterations times batch size.

        Raises:
            ValueError: a negative number.
        """
        if num_samples < 0:
            raise ValueError(f'MultiTaskInfiniteSampler: skip({num_samples}), expected 0 or more samples')
        self.first += num_samples

    def __iter__(self) -> Iterator[tuple]:
        """The indices of this rank, a pair for a paired side; each iterator begins anew, behind what was skipped."""
        numbers = iter(range(2 * len(self.sizes)))

        def stream(size: int) -> ShuffledStream:
            return ShuffledStream(size, self.seed, next(numbers), self.shuffle)

        sides = [tuple(map(stream, size)) if isinstance(size, tuple) else stream(size) for size in self.sizes]
        position = self.rank + self.first * self.world_size
        while True:
            yield tuple(
                tuple(each[position] for each in side) if isinstance(side, tuple) else side[position] for side in sides
            )
            position += self.world_size

    def __len__(self) -> int:
        """Number of images of the largest side; the iterator itself has no end."""
        return max(max(size) if isinstance(size, tuple) else size for size in self.sizes)

    def set_epoch(self, epoch: int) -> None:
        """Called by loops that count epochs; an endless order has none."""
