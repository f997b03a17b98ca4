"""Labelled images and, for each pretext task, images of its own, together."""

from mmssl.datasets.paired import PairedDataset, build_side
from mmssl.registry import DATASETS

SEGMENTATION = 'segmentation'


@DATASETS.register_module()
class MultiTaskSegDataset:
    """Join a labelled dataset with one for each pretext task; each keeps its own pipeline.

    Source: S4, section 2.3: the images of a batch are transformed for each task apart. A task's dataset lists the
    images that it learns from, unlabelled and labelled ones, usually ``mmssl.UnlabeledDataset``; masks of them are
    never looked at. Use it with ``mmssl.MultiTaskInfiniteSampler``, which draws an image for each task, and with
    ``mmssl.MultiTaskSegmentor``, whose tasks have the same names.

    Args:
        segmentation: config of a dataset of mmseg's kind, or the dataset; also ``mmssl.PairedDataset``.
        tasks: likewise, of each pretext task by name; their pipelines end with what their models read.

    Raises:
        DataError: a dataset without an image.
        ValueError: no task, or one of the name ``segmentation``.
    """

    def __init__(self, *, segmentation, tasks: dict) -> None:
        if not tasks or SEGMENTATION in tasks:
            raise ValueError(
                f'MultiTaskSegDataset: tasks {sorted(tasks)}, expected one or more beside {SEGMENTATION!r}'
            )
        sides = {SEGMENTATION: segmentation, **tasks}
        self.sides = {name: build_side(side, f'MultiTaskSegDataset: {name}:') for name, side in sides.items()}

    @property
    def metainfo(self) -> dict:
        """Classes and palette, those of the labelled images."""
        return self.sides[SEGMENTATION].metainfo

    def full_init(self) -> None:
        """Read the lists of all sides, where they were not."""
        for side in self.sides.values():
            if hasattr(side, 'full_init'):
                side.full_init()

    def sizes(self) -> list[int | tuple[int, int]]:
        """Number of images of each side; of a paired one those of its labelled and unlabelled images."""
        return [
            (len(side.labeled), len(side.unlabeled)) if isinstance(side, PairedDataset) else len(side)
            for side in self.sides.values()
        ]

    def __len__(self) -> int:
        """Number of images of the largest side."""
        return max(len(side) for side in self.sides.values())

    def __getitem__(self, index: int | tuple) -> dict[str, dict]:
        """A sample of every task.

        Args:
            index: one index a side, in their order, of a paired side a pair; a single i takes number i of all, shorter
                sides again and again.

        Returns:
            ``inputs`` and ``data_samples``, each a dict by task of what the pipelines pack.
        """
        if not isinstance(index, (tuple, list)):
            if not -len(self) <= index < len(self):  # also ends a plain loop over the dataset
                raise IndexError(f'MultiTaskSegDataset: index {index}, expected one below {len(self)}, or one a task')
            index %= len(self)
            index = [index % len(side) for side in self.sides.values()]
        samples = {name: side[each] for (name, side), each in zip(self.sides.items(), index, strict=True)}
        return {key: {name: sample[key] for name, sample in samples.items()} for key in ('inputs', 'data_samples')}
