"""One candidate of a search, and the file with a line for each."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mmssl.apis.log_reading import read_rows
from mmssl.atomic_file import atomic_file
from mmssl.errors import DataError
from mmssl.search.space import Genes

LOG = 'candidates.jsonl'
STATES = ('finished', 'failed')


@dataclass(frozen=True)
class Candidate:
    """What a search knows of an architecture.

    Attributes:
        number: from 0, in the order of the search.
        genes: the architecture, see ``mmssl.search.space``.
        parent: number of the candidate that it is a mutation of, None where it was drawn.
        parameters: of the segmentation network.
        flops: of one forward pass of it at the budget's shape; a multiplication and an addition are two.
        over_budget: draws for this candidate that were beyond the budget.
        repeated: draws for this candidate that an earlier one had been.
        state: ``'finished'`` or ``'failed'``.
        score: the proxy's metric at its last validation; None where the candidate failed.
        fitness: the score, its sign turned where lower is better; None likewise.
        reason: why it failed, one line; None where it did not.
        seconds: of the proxy's training, the start of its process included.
        config: of the proxy's training, relative to the work dir of the search.
    """

    number: int
    genes: Genes
    parent: int | None
    parameters: int
    flops: int
    over_budget: int
    repeated: int
    state: str
    score: float | None
    fitness: float | None
    reason: str | None
    seconds: float
    config: str

    @property
    def finished(self) -> bool:
        """Whether it has a score."""
        return self.state == 'finished'


def read_candidates(path: Path) -> list[Candidate]:
    """Read the lines of a search.

    Args:
        path: of ``candidates.jsonl``.

    Returns:
        The candidates, numbers 0, 1, 2, ...; none where there is no file.

    Raises:
        DataError: a line that is not one of a search, or out of order.
    """
    if not path.is_file():
        return []
    try:
        candidates = [Candidate(**row) for row in read_rows(path)]
    except (TypeError, ValueError) as error:
        raise DataError(f'{path}: damaged, {error}') from None
    for number, candidate in enumerate(candidates):
        if candidate.number != number or candidate.state not in STATES:
            raise DataError(
                f'{path}:{number + 1}: candidate {candidate.number}, {candidate.state!r} found, '
                f'candidate {number}, one of {STATES} expected'
            )
    return candidates


def write_rows(path: Path, rows: Sequence) -> None:
    """Write dataclasses, one JSON object a line; whoever reads finds the old file or the new one, never a part.

    Args:
        path: of the file.
        rows: dataclasses of plain, finite values.
    """
    with atomic_file(path, durable=True) as partial:
        partial.write_text(''.join(json.dumps(asdict(row), allow_nan=False) + '\n' for row in rows))
