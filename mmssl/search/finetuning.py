"""Fine-tune candidates for segmentation, from the encoder that their proxy trained."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmssl.apis.log_reading import read_rows
from mmssl.errors import DataError
from mmssl.search.candidate import STATES, Candidate, write_rows
from mmssl.search.candidate_training import TrainingFailedError, last_value
from mmssl.search.progress import time_left
from mmssl.search.space import describe_genes

LOG = 'finetuned.jsonl'


@dataclass(frozen=True)
class Finetuning:
    """What fine-tuning of a candidate came to.

    Attributes:
        number: of the candidate.
        state: ``'finished'`` or ``'failed'``.
        value: the segmentation's metric at its last validation, None where it failed.
        reason: why it failed, one line; None where it did not.
        seconds: of the training, the start of its process included.
    """

    number: int
    state: str
    value: float | None
    reason: str | None
    seconds: float


def read_finetunings(path: Path) -> list[Finetuning]:
    """Read ``finetuned.jsonl``; nothing where there is no file.

    Raises:
        DataError: a line that is not one of a fine-tuning, or a candidate twice.
    """
    if not path.is_file():
        return []
    try:
        rows = [Finetuning(**row) for row in read_rows(path)]
    except (TypeError, ValueError) as error:
        raise DataError(f'{path}: damaged, {error}') from None
    numbers = [row.number for row in rows]
    if len(set(numbers)) < len(numbers) or any(row.state not in STATES for row in rows):
        raise DataError(f'{path}: candidates {numbers} found, each once and one of {STATES} expected')
    return rows


def run_finetunings(
    work_dir: Path,
    chosen: Sequence[Candidate],
    metric: str,
    train: Callable[[Path, Path], None],
    report: Callable[[str], None] = print,
) -> list[Finetuning]:
    """Train every chosen candidate without a value in ``finetuned.jsonl``, by its ``segmentation_NNN.py``.

    What failed before is tried again: no other candidate depends on it, and what was amiss may have been put right.

    Args:
        work_dir: of the search.
        chosen: candidates that did not fail.
        metric: of the segmentation's validations.
        train: called with a config and its work dir; raises TrainingFailedError where a training does not end well.
        report: receives lines about what happens.

    Returns:
        All that are in the log, those that failed and those of earlier calls among them.

    Raises:
        ConfigError: the metric does not exist.
        DataError: a damaged log.
    """
    path = work_dir / LOG
    rows = read_finetunings(path)
    finished = {row.number for row in rows if row.state == 'finished'}
    left = [candidate for candidate in chosen if candidate.number not in finished]
    if rows:
        report(f'{len(finished)} candidates fine-tuned before, {len(rows) - len(finished)} failed')
    new: list[Finetuning] = []
    for candidate in left:
        folder = work_dir / 'candidates' / f'{candidate.number:03d}'
        report(f'candidate {candidate.number}, segmentation: {describe_genes(candidate.genes)}')
        start, value, reason = time.monotonic(), None, None
        try:
            train(folder / f'segmentation_{candidate.number:03d}.py', folder / 'segmentation')
            value = last_value(folder / 'segmentation', metric)
        except TrainingFailedError as error:
            reason = str(error)
        seconds = round(time.monotonic() - start, 1)
        rows = [row for row in rows if row.number != candidate.number]
        new.append(Finetuning(candidate.number, 'failed' if value is None else 'finished', value, reason, seconds))
        write_rows(path, [*rows, *new])
        outcome = f'FAILED: {reason}' if value is None else f'{metric} {value:.4g}'
        progress = time_left([row.seconds for row in new], len(left))
        report(f'candidate {candidate.number}: {outcome}, {seconds:.0f} s; {progress}')
    return [*rows, *new]
