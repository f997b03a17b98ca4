"""Checkpoints that go to files as they are serialised, and to the disk later."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.runner import runner as theirs

from mmssl.pending_files import PendingFiles
from mmssl.tensor_file import save_tensors


@contextmanager
def streamed_saving(files: PendingFiles) -> Iterator[None]:
    """Let ``Runner.save_checkpoint`` write beside the place of the file, among those that are put there together.

    mmengine (0.10.7) serialises into memory, copies that, and writes the copy. Unnecessary once its backends take a
    stream.
    """
    original = theirs.save_checkpoint
    theirs.save_checkpoint = functools.partial(save_streamed, files)
    try:
        yield
    finally:
        theirs.save_checkpoint = original


def save_streamed(
    files: PendingFiles, checkpoint: dict, filename: str, file_client_args=None, backend_args=None
) -> None:
    """Write a checkpoint; with its first argument given it takes the place of mmengine's ``save_checkpoint``.

    Args:
        files: the one to be written is added to them.
        checkpoint: tensors and plain values.
        filename: a local file.
        file_client_args: of mmengine's function; not looked at, as nothing else than a local file is written.
        backend_args: likewise.
    """
    files.write(filename, functools.partial(save_tensors, checkpoint, suffix=Path(filename).suffix))
