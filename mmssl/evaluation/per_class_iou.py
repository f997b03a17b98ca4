"""Mean IoU that keeps its per-class values."""

from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.logging import print_log
from mmseg.evaluation.metrics import IoUMetric

from mmssl.errors import DataError
from mmssl.registry import METRICS

RESERVED = ('aAcc', 'mAcc', 'mIoU', 'mDice', 'mFscore', 'mPrecision', 'mRecall')
"""What mmseg's metric calls its own means."""


def subset_means(
    iou: Sequence[float], classes: Sequence[str], subsets: Mapping[str, Sequence[str]]
) -> tuple[dict[str, float], dict[str, list[str]]]:
    """Average the IoU over some of the classes.

    The IoU are those of all classes: a pixel of a class outside the subset that is predicted as one inside stands in
    the union of the latter, as in S2, section 4.4.

    Args:
        iou: of each class, in 0..1 or percent; NaN for a class that occurs neither in truth nor in predictions.
        classes: names of the classes.
        subsets: name of a mean to the names of its classes.

    Returns:
        The mean of each subset over its classes that are not NaN (NaN where all are), and the NaN classes of each
        subset that has some.
    """
    value = dict(zip(classes, map(float, iou), strict=True))
    means, absent = {}, {}
    for name, members in subsets.items():
        found = [value[member] for member in members if not np.isnan(value[member])]
        means[name] = sum(found) / len(found) if found else float('nan')
        if len(found) < len(members):
            absent[name] = [member for member in members if np.isnan(value[member])]
    return means, absent


@METRICS.register_module()
class PerClassIoUMetric(IoUMetric):
    """mmseg's ``IoUMetric`` that also keeps the values of each class and refuses unknown labels.

    mmseg prints a table of the classes and keeps the means alone; and a label at or above the number of classes
    vanishes from its counts without a word (mmseg 1.2.2). ``per_class`` holds, after an evaluation,
    ``{class: {'IoU': percent, 'Acc': percent}}``; a class that occurs neither in truth nor in predictions is NaN.

    Args:
        class_subsets: means over some of the classes beside ``mIoU``, for example ``{'mIoU16': [names], ...}``, in
            percent (:func:`subset_means`). Classes that occur nowhere are left out of these and of ``mIoU``, and named
            in the log.
        kwargs: as mmseg's ``IoUMetric``: ``iou_metrics``, ``ignore_index``, ``output_dir``, ...

    Raises:
        ValueError: a subset is empty, names a class twice, has the name of a mean of mmseg's, or ``iou_metrics`` has no
            ``mIoU``; and, when the classes of the data become known, it names a class that is none.
    """

    def __init__(self, *, class_subsets: Mapping[str, Sequence[str]] | None = None, **kwargs):
        super().__init__(**kwargs)
        self.per_class: dict[str, dict[str, float]] = {}
        self.class_subsets = {name: list(members) for name, members in (class_subsets or {}).items()}
        if self.class_subsets and 'mIoU' not in self.metrics:
            raise ValueError(f'class_subsets needs the IoU: iou_metrics is {self.metrics}, expected mIoU in it')
        for name, members in self.class_subsets.items():
            if name in RESERVED:
                raise ValueError(f'class_subsets has the name {name}, expected another than {", ".join(RESERVED)}')
            if not members or len(set(members)) < len(members):
                raise ValueError(f'class_subsets[{name!r}] is {members}, expected one class or more, each once')

    @property
    def dataset_meta(self) -> dict | None:
        """Meta information of the data, with its ``classes``."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict | None) -> None:
        # Here rather than at the evaluation: the loops set it before the training begins.
        classes = (dataset_meta or {}).get('classes', ())
        for name, members in self.class_subsets.items():
            unknown = [member for member in members if member not in classes]
            if unknown and classes:
                raise ValueError(
                    f'class_subsets[{name!r}] has {", ".join(unknown)}, expected classes of the data: '
                    f'{", ".join(classes)}'
                )
        self._dataset_meta = dataset_meta

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count one batch.

        Raises:
            DataError: when a mask holds a label that is neither a class nor the ignore value.
        """
        num_classes = len(self.dataset_meta['classes'])
        if not self.format_only:
            for sample in data_samples:
                label = sample['gt_sem_seg']['data']
                unknown = label[(label >= num_classes) & (label != self.ignore_index)]
                if unknown.numel():
                    raise DataError(
                        f'{sample.get("seg_map_path") or sample.get("img_path")}: mask has label {int(unknown[0])}, '
                        f'expected 0 to {num_classes - 1} or {self.ignore_index} (ignored)'
                    )
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Means in percent, as mmseg's, and those of the subsets; fills ``per_class`` on the way."""
        subset_values = {}
        if not self.format_only:
            areas = [sum(column) for column in zip(*results, strict=True)]
            values = self.total_area_to_metrics(*areas, self.metrics, self.nan_to_num, self.beta)
            values.pop('aAcc')
            self.per_class = {
                name: {key: float(np.round(column[index] * 100, 2)) for key, column in values.items()}
                for index, name in enumerate(self.dataset_meta['classes'])
            }
            if 'IoU' in values:
                classes = self.dataset_meta['classes']
                subsets = {'mIoU': classes, **self.class_subsets}
                subset_values, absent = subset_means(values['IoU'] * 100, classes, subsets)
                del subset_values['mIoU']  # mmseg's own, which may count absent classes as nan_to_num says
                if absent:
                    names = '; '.join(f'{name}: {", ".join(members)}' for name, members in absent.items())
                    print_log(f'classes that occur nowhere, left out of the mean: {names}', logger='current')
        return {**super().compute_metrics(results), **{k: round(v, 2) for k, v in subset_values.items()}}
