"""Files that are there whole or not at all."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = '.tmp'
"""End of the names of files that are being written; none of them counts as the file itself."""


@contextmanager
def atomic_file(path: str | Path, *, durable: bool = False) -> Iterator[Path]:
    """Write a file beside its place and move it there when the block ends; folders are made.

    Whoever reads finds the old file or the new one. After an error the old one stays, and nothing else is left; after
    a kill a hidden file that ends with ``.tmp`` may be (:func:`remove_partial_files`).

    Args:
        path: the file.
        durable: whether the content is on the disk before it is moved, and the move before the block ends, so that a
            loss of power leaves the old file or the new one too.

    Yields:
        Path to write to, in the same folder: a move to another one copies.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path_beside(path)
    try:
        yield partial
        if durable:
            flush(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    if durable:
        flush(path.parent)


def write_atomically(path: str | Path, data: bytes, *, durable: bool = False) -> None:
    """Write a small file by :func:`atomic_file`."""
    with atomic_file(path, durable=durable) as partial:
        partial.write_bytes(data)


def remove_partial_files(folder: str | Path, pattern: str) -> list[Path]:
    """Remove what killed processes left of files in a folder.

    Args:
        folder: may be missing.
        pattern: of the names of whole files, ``*.pth``.

    Returns:
        What was removed.
    """
    partial = sorted(Path(folder).glob(f'.{pattern}.*{SUFFIX}'))
    for path in partial:
        path.unlink(missing_ok=True)
    return partial


def path_beside(path: Path) -> Path:
    """Where this thread writes a file before it is moved to its place: hidden, in the same folder."""
    return path.with_name(f'.{path.name}.{os.getpid()}.{threading.get_ident()}{SUFFIX}')


def flush(path: Path) -> None:
    """Hand a file, or the names in a folder, over to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
