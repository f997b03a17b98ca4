"""An endless order of images."""

from collections.abc import Iterator, Sized

from mmssl.datasets.stream_sampler import StreamSampler
from mmssl.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class InfiniteSampler(StreamSampler):
    """Yield the index of an image, without end; for training loops that count iterations.

    As mmengine's sampler of that name each image is used once before one is used twice; but any place of the order can
    be looked up, so that a resumed run draws nothing of what lies before. Rank r of R takes places r, r + R, ...

    Args:
        dataset: anything with a length, at least 1.
        shuffle: whether to draw the order; False takes the images in their own.
        seed: at least 0, the same on all ranks; None draws one and shares it.

    Raises:
        ValueError: the dataset is empty, or the seed is negative.
    """

    def __init__(self, dataset: Sized, *, shuffle: bool = True, seed: int | None = None) -> None:
        if len(dataset) == 0:
            raise ValueError(f'InfiniteSampler: {type(dataset).__name__} has no image, expected at least one')
        super().__init__([len(dataset)], shuffle, seed)
        self.dataset = dataset  # batch samplers of the hosts ask for it

    def __iter__(self) -> Iterator[int]:
        """The images of this rank; each iterator begins anew, behind what was skipped."""
        return (index for (index,) in super().__iter__())
