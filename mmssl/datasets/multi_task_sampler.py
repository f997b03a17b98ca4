"""An endless order of images, one for each task."""

from collections.abc import Iterator

from mmssl.datasets.multi_task import MultiTaskSegDataset
from mmssl.datasets.stream_sampler import StreamSampler
from mmssl.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class MultiTaskInfiniteSampler(StreamSampler):
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
        # A paired side is two.
        self.paired = [isinstance(size, tuple) for size in dataset.sizes()]
        sizes = (size if isinstance(size, tuple) else (size,) for size in dataset.sizes())
        super().__init__([each for size in sizes for each in size], shuffle, seed)

    def __iter__(self) -> Iterator[tuple]:
        """The indices of this rank, a pair for a paired side; each iterator begins anew, behind what was skipped."""
        for indices in super().__iter__():
            left = iter(indices)
            yield tuple((next(left), next(left)) if paired else next(left) for paired in self.paired)
