"""Mean IoU that keeps its per-class values."""

from collections.abc import Sequence

import numpy as np
from mmseg.evaluation.metrics import IoUMetric

from mmssl.errors import DataError
from mmssl.registry import METRICS


@METRICS.register_module()
class PerClassIoUMetric(IoUMetric):
    """mmseg's ``IoUMetric`` that also keeps the values of each class and refuses unknown labels.

    mmseg prints a table of the classes and keeps the means alone; and a label at or above the number of classes
    vanishes from its counts without a word (mmseg 1.2.2). ``per_class`` holds, after an evaluation,
    ``{class: {'IoU': percent, 'Acc': percent}}``; a class that occurs neither in truth nor in predictions is NaN.

    Args:
        kwargs: as mmseg's ``IoUMetric``: ``iou_metrics``, ``ignore_index``, ``output_dir``, ...
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.per_class: dict[str, dict[str, float]] = {}

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
        """Means in percent, as mmseg's; fills ``per_class`` on the way."""
        if not self.format_only:
            areas = [sum(column) for column in zip(*results, strict=True)]
            values = self.total_area_to_metrics(*areas, self.metrics, self.nan_to_num, self.beta)
            values.pop('aAcc')
            self.per_class = {
                name: {key: float(np.round(column[index] * 100, 2)) for key, column in values.items()}
                for index, name in enumerate(self.dataset_meta['classes'])
            }
        return super().compute_metrics(results)
