"""An endless order of pairs, one labelled and one unlabelled image each."""

from mmssl.datasets.stream_sampler import StreamSampler
from mmssl.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class PairedInfiniteSampler(StreamSampler):
    """Yield (i, j), a labelled and an unlabelled image, without end; for training loops that count iterations.

    On both sides each image is used once before one is used twice, and the two orders are independent, so that every
    unlabelled image meets other labelled ones each time. Rank r of R takes the pairs r, r + R, r + 2R, ...

    Args:
        dataset: a :class:`~mmssl.datasets.paired.PairedDataset`.
        shuffle: whether to draw the orders; False takes both sides in their own order.
        seed: at least 0, the same on all ranks; None draws one and shares it.

    Raises:
        ValueError: the dataset has no two sides, or the seed is negative.
    """

    def __init__(self, dataset, *, shuffle: bool = True, seed: int | None = None) -> None:
        sides = getattr(dataset, 'labeled', None), getattr(dataset, 'unlabeled', None)
        if None in sides:
            raise ValueError(f'PairedInfiniteSampler: {type(dataset).__name__} found, expected mmssl.PairedDataset')
        super().__init__([len(side) for side in sides], shuffle, seed)
