"""One process of a run that fails ends the run, and the others say why they end."""

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from torch.distributed import DistError

from mmssl.background import finish_background_work
from mmssl.checkpoint_pointer import tell_newest
from mmssl.errors import DataError, one_line

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What gloo says, by a RuntimeError without a class of its own, when a process at the other end has gone or hangs.
LOST = (
    'Connection closed by peer',
    'Connection reset by peer',
    'Broken pipe',
    'Timed out waiting',
    'Application timeout caused pair closure',
)


class LostRankError(RuntimeError):
    """Another process of the run has ended, or does not answer."""


@contextmanager
def end_at_once(several: bool) -> Iterator[None]:
    """End a process that fails without its usual last steps, when it is one of several.

    Those steps may wait for processes that wait for this one: what torch closes at the end of a process are groups with
    the others. Launchers end the others when one has ended with another code than 0; without a launcher they lose
    their connection to it.

    Args:
        several: whether there are other processes.
    """
    try:
        yield
    except BaseException as error:
        if not several:
            raise
        code = _exit_code(error)
        if code == 0:
            raise
        if not isinstance(error, SystemExit):
            traceback.print_exc()
        elif isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        finish_background_work()  # a checkpoint that is on its way to the disk
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _exit_code(error: BaseException) -> int:
    if not isinstance(error, SystemExit) or isinstance(error.code, str):
        return 1
    return error.code or 0


@contextmanager
def training_failures(work_dir: str, rank: int) -> Iterator[None]:
    """Give errors that are not the fault of anything in the run one line.

    Args:
        work_dir: of the run, for its newest checkpoint.
        rank: of this process.

    Raises:
        LostRankError: a collective failed, as another process has gone or did not answer in the time of ``dist_cfg``.
        DataError: the disk is full, but for checkpoints, which tell it themselves.
    """
    try:
        with lost_ranks(rank):
            yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DataError(f'{work_dir}: cannot be written to, {one_line(error)}; {tell_newest(work_dir)}') from None
    except LostRankError as error:
        raise LostRankError(f'{error}; {tell_newest(work_dir)}') from None


@contextmanager
def lost_ranks(rank: int) -> Iterator[None]:
    """Give errors of collectives one line.

    Args:
        rank: of this process.

    Raises:
        LostRankError: another process has gone or did not answer in the time of ``dist_cfg``.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, DistError) and not any(words in str(error) for words in LOST):
            raise
        raise LostRankError(
            f'rank {rank}: another process of the run has ended or does not answer, see what it printed '
            f'({one_line(error)[:120]})'
        ) from None
