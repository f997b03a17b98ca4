"""Curves from the scalars that mmengine's LoggerHook writes, one JSON object a line."""

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Curves:
    """The scalars of one run, on the axis of training iterations.

    Attributes:
        train: key to (step, value) pairs that were logged while training.
        val: key to (step, value) pairs of evaluations.
    """

    train: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    val: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """All keys, those of training first."""
        return [*self.train, *(key for key in self.val if key not in self.train)]


def read_rows(path: Path) -> list[dict]:
    """Reads a log.

    Args:
        path: file with one JSON object a line.

    Returns:
        The rows in the order of the file. A last line that was cut off, as by the end of a job, is left out with a
        warning.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another line is not a JSON object.
    """
    if not path.is_file():
        raise FileNotFoundError(f'log {path}: no such file')
    rows = []
    lines = [(number, line) for number, line in enumerate(path.read_text().splitlines(), 1) if line.strip()]
    for number, line in lines:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            if number == lines[-1][0] and rows:
                warnings.warn(f'{path}:{number}: the last line is cut off and left out', stacklevel=2)
                break
            raise ValueError(f'{path}:{number}: not JSON, one object a line expected') from None
        if not isinstance(row, dict):
            raise ValueError(f'{path}:{number}: {type(row).__name__} found, one JSON object a line expected')
        rows.append(row)
    return rows


def is_train_row(row: dict) -> bool:
    """Tells rows of training from those of evaluations: only the former name an iteration."""
    return 'iter' in row


def to_curves(rows: list[dict]) -> Curves:
    """Sorts rows into curves.

    Training rows carry the iteration as ``step``. Evaluations carry the iteration or, where the run counts epochs,
    the epoch; an epoch becomes the last iteration that was logged in it.

    Args:
        rows: of one run, or of a run and those that continued it, in order.

    Returns:
        The curves; values that are not numbers are left out.
    """
    end_of_epoch: dict[int, int] = {}
    for row in rows:
        if is_train_row(row) and 'epoch' in row:
            end_of_epoch[row['epoch']] = max(row['step'], end_of_epoch.get(row['epoch'], 0))
    curves = Curves()
    for row in rows:
        if 'step' not in row:
            continue
        train = is_train_row(row)
        step = row['step'] if train else end_of_epoch.get(row['step'], row['step'])
        target = curves.train if train else curves.val
        for key, value in row.items():
            if key not in ('step', 'iter', 'epoch') and isinstance(value, (int, float)):
                target.setdefault(key, []).append((int(step), float(value)))
    return curves


def find_logs(source: Path) -> list[Path]:
    """Finds the logs of a run.

    Args:
        source: a log file, or a work dir of the Runner (``<time>/vis_data/scalars.json``).

    Returns:
        The file itself; or of a work dir the newest run and, before it, the runs that it continues, in order. A run
        continues the one before when its first logged iteration is later than its logging interval.

    Raises:
        FileNotFoundError: neither exists, or the work dir holds no log.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise FileNotFoundError(f'log {source}: no such file or folder')
    found = [path for path in sorted(source.glob('*/vis_data/scalars.json')) if path.stat().st_size]
    if (source / 'vis_data' / 'scalars.json').is_file():
        found = [source / 'vis_data' / 'scalars.json']
    if not found:
        raise FileNotFoundError(f'log {source}: no */vis_data/scalars.json in this folder')
    logs = [found[-1]]
    for earlier in reversed(found[:-1]):
        if not _continues(logs[0], earlier):
            break
        logs.insert(0, earlier)
    return logs


def _continues(log: Path, earlier: Path) -> bool:
    steps, before = ([row['step'] for row in read_rows(path) if is_train_row(row)] for path in (log, earlier))
    if not steps or not before:
        return False
    interval = steps[1] - steps[0] if len(steps) > 1 else before[0]
    return steps[0] > interval


def read_run(source: str | Path) -> Curves:
    """Reads a run with what it continues; where a resumed run repeats iterations, the later values hold.

    Args:
        source: see :func:`find_logs`.

    Returns:
        The curves of the whole training.

    Raises:
        FileNotFoundError: no log.
        ValueError: a log is damaged.
    """
    rows: list[dict] = []
    for log in find_logs(Path(source)):
        new = read_rows(log)
        steps = [row['step'] for row in new if is_train_row(row)]
        if rows and steps:
            rows = _before(rows, steps[0])
        rows += new
    return to_curves(rows)


def _before(rows: list[dict], step: int) -> list[dict]:
    """Keeps the rows up to where a resumed run logs first; an evaluation belongs to the training rows before it."""
    kept, reached = [], 0
    for row in rows:
        reached = max(reached, row['step']) if is_train_row(row) else reached
        if reached >= step:
            break
        kept.append(row)
    return kept


def smooth(values: list[float], window: int) -> np.ndarray:
    """Averages each value with those before it, as many as the window holds and as there are.

    Args:
        values: of one curve.
        window: number of values, at least 1.

    Returns:
        As many averages, float64; NaN values are left out of the averages.

    Raises:
        ValueError: the window is below 1.
    """
    if window < 1:
        raise ValueError(f'--smooth: {window} found, at least 1 expected')
    values = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0))])
    count = np.concatenate([[0], np.cumsum(finite)])
    start = np.maximum(np.arange(len(values)) + 1 - window, 0)
    with np.errstate(invalid='ignore', divide='ignore'):
        return (total[1:] - total[start]) / (count[1:] - count[start])


def exponential_average(values: list[float], beta: float) -> np.ndarray:
    """Running mean, ``V_t = beta V_{t-1} + (1 - beta) theta_t`` (S3, equation 24), which starts at the first value.

    Args:
        values: theta of one curve.
        beta: weight of the mean so far, in [0, 1).

    Returns:
        As many means, float64; where a value is NaN the mean stays as it was.

    Raises:
        ValueError: beta is outside [0, 1).
    """
    if not 0 <= beta < 1:
        raise ValueError(f'--ema: {beta} found, at least 0 and below 1 expected')
    means, mean = [], float('nan')
    for value in values:
        if np.isfinite(value):
            mean = beta * mean + (1 - beta) * value if np.isfinite(mean) else value
        means.append(mean)
    return np.asarray(means, dtype=np.float64)
