"""Per-class IoU of several runs, from the metrics.json that tools/test.py writes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class ClassIoU:
    """The IoU of one experiment, over its seeds.

    Attributes:
        name: of the experiment.
        classes: K names.
        seeds: (S, K) float64, percent; NaN where a class occurs neither in truth nor in prediction.
    """

    name: str
    classes: tuple[str, ...]
    seeds: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """(K,) mean over the seeds that have the class, NaN where none has."""
        return _over_seeds(self.seeds)[0]

    @property
    def deviation(self) -> np.ndarray:
        """(K,) sample standard deviation (divisor S - 1), NaN below two seeds."""
        return _over_seeds(self.seeds)[1]

    @property
    def mean_iou(self) -> tuple[float, float]:
        """Mean and sample standard deviation, over the seeds, of the mean over the classes."""
        mean, deviation = _over_seeds(_over_seeds(self.seeds.T)[0][:, None])
        return float(mean[0]), float(deviation[0])


def _over_seeds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample standard deviation over the first axis without NaN, without numpy's warnings."""
    present = np.isfinite(values)
    count = present.sum(0)
    filled = np.where(present, values, 0)
    with np.errstate(invalid='ignore', divide='ignore'):
        mean = filled.sum(0) / count
        squares = (np.where(present, values - mean, 0) ** 2).sum(0)
        deviation = np.sqrt(squares / (count - 1))
    return np.where(count > 0, mean, np.nan), np.where(count > 1, deviation, np.nan)


def read_class_iou(source: str | Path) -> dict[str, float]:
    """Reads the IoU of each class.

    Args:
        source: ``metrics.json``, or a work dir that holds it.

    Returns:
        Class name to IoU in percent; NaN for a class that never occurred (null in the file).

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON, or no IoU for each class in it.
    """
    path = Path(source)
    path = path / 'metrics.json' if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f'run {source}: {path} does not exist; tools/test.py writes it')
    try:
        classes = json.loads(path.read_text())['per_class']
        values = {str(name): row['IoU'] for name, row in classes.items()}
        return {name: float('nan') if value is None else float(value) for name, value in values.items()}
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        what = f'{type(error).__name__}: {error}'
        raise ValueError(f'run {path}: "per_class" with an "IoU" for each class expected, {what}') from None


def group_runs(names: Sequence[str], sources: Sequence[str | Path]) -> list[ClassIoU]:
    """Reads runs and joins those of one name as seeds of one experiment.

    Args:
        names: one per run.
        sources: see :func:`read_class_iou`.

    Returns:
        The experiments in the order in which their names first occur.

    Raises:
        ValueError: the runs have different classes, or classes in another order.
    """
    tables = [read_class_iou(source) for source in sources]
    classes = tuple(tables[0])
    for source, table in zip(sources, tables, strict=True):
        if tuple(table) != classes:
            alien = sorted(set(table) ^ set(classes)) or 'another order'
            raise ValueError(f'run {source}: classes differ from those of {sources[0]}: {alien}')
    experiments = []
    for name in dict.fromkeys(names):
        values = [list(table.values()) for run, table in zip(names, tables, strict=True) if run == name]
        experiments.append(ClassIoU(name, classes, np.asarray(values, dtype=np.float64)))
    return experiments
