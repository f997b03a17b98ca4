"""Labelled and unlabelled images in pairs."""

from collections.abc import Sequence
from itertools import zip_longest

from mmssl.datasets.class_frequencies import base_datasets
from mmssl.datasets.overlap import check_overlap
from mmssl.datasets.transforms.pack_unlabeled_inputs import PackUnlabeledInputs
from mmssl.datasets.transforms.valid_region import MarkValidRegion
from mmssl.errors import DataError
from mmssl.registry import DATASETS


def compare_classes(expected: Sequence[str], found: Sequence[str], where: tuple[str, str]) -> None:
    """Raise unless two lists of classes are the same, and say where they first differ.

    Args:
        expected: names in the order of their ids.
        found: likewise.
        where: how to call the two datasets in the message.

    Raises:
        DataError: they differ.
    """
    for index, (one, other) in enumerate(zip_longest(expected, found)):
        if one != other:
            one, other = ('missing' if name is None else repr(name) for name in (one, other))
            raise DataError(
                f'class {index} is {one} in {where[0]} ({len(expected)} classes) and {other} in {where[1]} '
                f'({len(found)} classes); expected the same classes in the same order'
            )


@DATASETS.register_module()
class PairedDataset:
    """Join a labelled and an unlabelled dataset; each keeps its own pipeline.

    Source: S2, section 3.2: a batch holds as many unlabelled as labelled images. Use it with
    :class:`~mmssl.datasets.paired_sampler.PairedInfiniteSampler`, which draws the pairs. The labelled pipeline ends
    with mmseg's ``PackSegInputs``, the unlabelled one with ``mmssl.PackUnlabeledInputs``. A dataset with masks may be
    the unlabelled one; they change nothing.

    Args:
        labeled: config of a dataset of mmseg's kind, or the dataset; a wrapper of mmengine too.
        unlabeled: likewise, usually :class:`~mmssl.datasets.unlabeled.UnlabeledDataset`.
        overlap: how to see that no image is on both sides, see :func:`~mmssl.datasets.overlap.check_overlap`:
            ``'name'``, ``'content'`` or ``'off'``.

    Raises:
        DataError: a side is empty, an image is on both, or the classes differ.
        ValueError: ``overlap`` is unknown, or a pipeline does not fit its side.
    """

    def __init__(self, *, labeled, unlabeled, overlap: str = 'name') -> None:
        self.labeled = build_side(labeled, 'PairedDataset: the labelled')
        self.unlabeled = build_side(unlabeled, 'PairedDataset: the unlabelled')
        classes = [side.metainfo.get('classes') for side in (self.labeled, self.unlabeled)]
        if all(classes):
            compare_classes(*classes, ('the labelled dataset', 'the unlabelled one'))
        _check_pipelines(self.labeled, self.unlabeled)
        check_overlap(self.labeled, self.unlabeled, overlap)

    @property
    def metainfo(self) -> dict:
        """Classes and palette, those of the labelled images."""
        return self.labeled.metainfo

    def full_init(self) -> None:
        """Read the lists of both sides, where they were not."""
        for side in (self.labeled, self.unlabeled):
            if hasattr(side, 'full_init'):
                side.full_init()

    def __len__(self) -> int:
        """Number of images of the larger side."""
        return max(len(self.labeled), len(self.unlabeled))

    def get_data_info(self, index: int | tuple[int, int]) -> dict[str, dict]:
        """What is known of a pair before its pipelines: ``labeled`` and ``unlabeled``."""
        first, second = self._pair(index)
        return {'labeled': self.labeled.get_data_info(first), 'unlabeled': self.unlabeled.get_data_info(second)}

    def __getitem__(self, index: int | tuple[int, int]) -> dict[str, dict]:
        """A pair.

        Args:
            index: labelled i and unlabelled j as (i, j); a single i takes number i of both, the shorter side again and
                again.

        Returns:
            ``inputs`` and ``data_samples``, each a dict of ``labeled`` and ``unlabeled``: (3, H, W) uint8 images, and
            their ``SegDataSample``.
        """
        first, second = self._pair(index)
        pair = {'labeled': self.labeled[first], 'unlabeled': self.unlabeled[second]}
        return {key: {side: sample[key] for side, sample in pair.items()} for key in ('inputs', 'data_samples')}

    def _pair(self, index: int | tuple[int, int]) -> tuple[int, int]:
        if isinstance(index, (tuple, list)):
            return tuple(index)
        if not -len(self) <= index < len(self):  # also ends a plain loop over the dataset
            raise IndexError(f'PairedDataset: index {index}, expected one below {len(self)}, or a pair')
        index %= len(self)
        return index % len(self.labeled), index % len(self.unlabeled)


def build_side(side, where: str):
    """Build a dataset and read its list.

    Args:
        side: config of a dataset, or the dataset.
        where: how to call it in the message.

    Returns:
        The dataset.

    Raises:
        DataError: it has no image.
    """
    try:
        dataset = DATASETS.build(side) if isinstance(side, dict) else side
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
        empty = len(dataset) == 0
    except ValueError as error:
        if 'need at least one array to concatenate' not in str(error):
            raise
        empty = True  # mmengine 0.10.7 joins an empty list of samples
    if empty:
        name = side.get('type', 'dataset') if isinstance(side, dict) else type(side).__name__
        raise DataError(f'{where} {name} has no image, expected at least one')
    return dataset


def _transforms(dataset) -> list:
    pipeline = getattr(dataset, 'pipeline', None)
    return list(getattr(pipeline, 'transforms', ()))


def _check_pipelines(labeled, unlabeled) -> None:
    """See that no mask of an unlabelled image is looked at, and that regions are unpacked as such."""
    for base in base_datasets(labeled):
        if any(isinstance(transform, MarkValidRegion) for transform in _transforms(base)):
            raise ValueError('PairedDataset: MarkValidRegion in the labelled pipeline, expected in the unlabelled only')
    for base in base_datasets(unlabeled):
        transforms = _transforms(base)
        for transform in transforms:
            ratio = getattr(transform, 'cat_max_ratio', 1)
            if ratio < 1:
                raise ValueError(
                    f'PairedDataset: {type(transform).__name__} of the unlabelled pipeline has cat_max_ratio={ratio}, '
                    'which looks at masks; expected 1'
                )
        marked = any(isinstance(transform, MarkValidRegion) for transform in transforms)
        if marked and not any(isinstance(transform, PackUnlabeledInputs) for transform in transforms):
            raise ValueError('PairedDataset: MarkValidRegion without PackUnlabeledInputs at the end of the pipeline')
