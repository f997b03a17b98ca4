"""The datasets inside datasets."""

from collections.abc import Iterator

from mmengine.dataset import BaseDataset


def plain_datasets(dataset) -> Iterator[BaseDataset]:
    """The datasets of mmengine inside wrappers (``dataset``, ``datasets``, both sides of a pair, sides of tasks).

    Args:
        dataset: what a dataloader reads.

    Yields:
        Each dataset that lists samples itself, as often as it is wrapped.
    """
    if isinstance(dataset, BaseDataset):
        yield dataset
        return
    for part in inner_datasets(dataset):
        yield from plain_datasets(part)


def inner_datasets(dataset) -> list:
    """What a wrapper wraps, a pair or several tasks join; empty for a plain dataset."""
    if isinstance(dataset, BaseDataset):
        return []
    inner = [getattr(dataset, name, None) for name in ('dataset', '_dataset', 'labeled', 'unlabeled')]
    inner += [*(getattr(dataset, 'datasets', None) or []), *(getattr(dataset, 'sides', None) or {}).values()]
    return [part for part in inner if part is not None]
