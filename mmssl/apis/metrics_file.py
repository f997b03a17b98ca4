"""The file in which tools/test.py leaves its numbers."""

import json
from pathlib import Path

from mmssl.atomic_file import atomic_file


def write_metrics(work_dir: str | Path, checkpoint: str, metrics: dict, evaluators: list) -> Path:
    """Write ``metrics.json``: the means and, where a metric keeps them, the values of each class.

    Args:
        work_dir: folder of the file.
        checkpoint: what was tested.
        metrics: names and numbers, as the test loop returns them.
        evaluators: the metric objects; ``per_class`` of the first that has it is written.

    Returns:
        Path of the file, which holds ``{"checkpoint": ..., "mIoU": ..., "per_class": {class: {"IoU": ...}}}``; values
        are in percent, and null for a class that never occurred.
    """
    content = {'checkpoint': str(checkpoint), **{name: _plain(value) for name, value in metrics.items()}}
    per_class = next((metric.per_class for metric in evaluators if getattr(metric, 'per_class', None)), None)
    if per_class is not None:
        content['per_class'] = {name: {key: _plain(v) for key, v in row.items()} for name, row in per_class.items()}
    path = Path(work_dir) / 'metrics.json'
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2, allow_nan=False) + '\n')
    return path


def _plain(value) -> float | None:
    """A Python number; None for what is not finite, which JSON cannot hold."""
    value = float(value)
    return value if abs(value) < float('inf') else None
