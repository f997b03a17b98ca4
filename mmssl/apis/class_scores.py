"""IoU or AP of each class in several runs, from the metrics.json that tools/test.py writes."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PRECISION = re.compile(r'coco/(.+)_precision')


@dataclass(frozen=True)
class ClassScores:
    """The IoU or AP of one experiment, over its seeds.

    Attributes:
        name: of the experiment.
        classes: K names.
        seeds: (S, K) float64, percent; NaN where there is nothing to score: for IoU a class that occurs neither in
            truth nor in prediction, for AP one that does not occur in truth.
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
    def overall(self) -> tuple[float, float]:
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


def read_class_scores(source: str | Path, metric: str = 'IoU') -> dict[str, float]:
    """Reads the score of each class.

    Args:
        source: ``metrics.json``, or a work dir that holds it.
        metric: ``IoU``, from ``per_class``; or ``AP``, from mmdet's ``coco/<class>_precision``, which its CocoMetric
            writes with ``classwise=True``: of the masks where boxes are tested as well.

    Returns:
        Class name to percent; NaN for a class without a score (null in the file).

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON, no score for each class in it, or another metric.
    """
    if metric not in ('IoU', 'AP'):
        raise ValueError(f'metric {metric!r} found, IoU or AP expected')
    path = Path(source)
    path = path / 'metrics.json' if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f'run {source}: {path} does not exist; tools/test.py writes it')
    try:
        content = json.loads(path.read_text())
        scores = _ious(content) if metric == 'IoU' else _precisions(content)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        expected = '"per_class" with an "IoU" for each class' if metric == 'IoU' else '"coco/<class>_precision"'
        raise ValueError(f'run {path}: {expected} expected, {type(error).__name__}: {error}') from None
    return scores


def _ious(content: dict) -> dict[str, float]:
    return {str(name): _number(row['IoU']) for name, row in content['per_class'].items()}


def _precisions(content: dict) -> dict[str, float]:
    found = {PRECISION.fullmatch(key): value for key, value in content.items()}
    scores = {match[1]: 100 * _number(value) for match, value in found.items() if match}
    if not scores:
        raise KeyError('there is none')
    return scores


def _number(value: float | None) -> float:
    return float('nan') if value is None else float(value)


def group_runs(names: Sequence[str], sources: Sequence[str | Path], metric: str = 'IoU') -> list[ClassScores]:
    """Reads runs and joins those of one name as seeds of one experiment.

    Args:
        names: one per run.
        sources: see :func:`read_class_scores`.
        metric: as there.

    Returns:
        The experiments in the order in which their names first occur.

    Raises:
        ValueError: the runs have different classes, or classes in another order.
    """
    tables = [read_class_scores(source, metric) for source in sources]
    classes = tuple(tables[0])
    for source, table in zip(sources, tables, strict=True):
        if tuple(table) != classes:
            alien = sorted(set(table) ^ set(classes)) or 'another order'
            raise ValueError(f'run {source}: classes differ from those of {sources[0]}: {alien}')
    experiments = []
    for name in dict.fromkeys(names):
        values = [list(table.values()) for run, table in zip(names, tables, strict=True) if run == name]
        experiments.append(ClassScores(name, classes, np.asarray(values, dtype=np.float64)))
    return experiments
