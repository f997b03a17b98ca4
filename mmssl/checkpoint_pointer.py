"""``last_checkpoint``: which checkpoint of a work dir is the newest."""

import os
from pathlib import Path

from mmssl.atomic_file import write_atomically
from mmssl.background import finish_background_work
from mmssl.errors import DataError, DataNotFoundError

POINTER = 'last_checkpoint'


def write_pointer(work_dir: str | Path, checkpoint: str | Path) -> None:
    """Name the newest checkpoint of a work dir, relative to it, so that both can be moved.

    Args:
        work_dir: the folder of the pointer.
        checkpoint: a file, which is there already.
    """
    path = os.path.relpath(Path(checkpoint).resolve(), Path(work_dir).resolve())
    write_atomically(Path(work_dir) / POINTER, path.encode(), durable=True)


def read_pointer(work_dir: str | Path) -> Path | None:
    """The newest checkpoint of a work dir, also of mmengine's pointer, which holds the path of the day of writing.

    What this process is about to put in its place is waited for.

    Args:
        work_dir: may have been moved since.

    Returns:
        Path of an existing file; None where the folder has no pointer.

    Raises:
        DataError: the pointer is empty.
        DataNotFoundError: what it names does not exist, nor a file of that name in the folder.
    """
    finish_background_work()
    pointer = Path(work_dir) / POINTER
    if not pointer.is_file():
        return None
    named = pointer.read_text().strip()
    if not named:
        raise DataError(f'{pointer}: empty, the name of a checkpoint expected')
    # A relative path of mmengine's is relative to where it ran, which may be here.
    for path in (Path(work_dir) / named, Path(named), Path(work_dir) / Path(named).name):
        if path.is_file():
            return path
    raise DataNotFoundError(f'{pointer} names {named}, which does not exist')


def tell_newest(work_dir: str | Path) -> str:
    """For the line of an error: which checkpoint is the newest, of a pointer that is damaged too that there is none."""
    try:
        path = read_pointer(work_dir)
    except DataError:
        path = None
    return f'the last checkpoint is {path}' if path else 'there is no checkpoint yet'
