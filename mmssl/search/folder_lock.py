"""One search at a time in a folder."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmssl.errors import DataError

LOCK = '.lock'
PATIENCE = 15.0
"""Seconds; the loaders of a training that was ended look for it every five."""


@contextmanager
def lock_folder(folder: Path, patience: float = PATIENCE) -> Iterator[int]:
    """Hold a folder, which is made where it does not exist.

    The lock lies on an open file. A training that inherits its descriptor holds the folder too, so that a search whose
    process was killed does not go on beside the training that it left behind.

    Args:
        folder: to hold.
        patience: how long to wait for another process, seconds.

    Yields:
        The file descriptor that trainings inherit.

    Raises:
        DataError: another process holds the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, 'w') as file:
        end = time.monotonic() + patience
        while not _try_lock(file):
            if time.monotonic() >= end:
                raise DataError(
                    f'{folder}: another process works in this folder, or a training that a search left behind; '
                    'expected none'
                )
            time.sleep(0.2)
        yield file.fileno()


def _try_lock(file) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
