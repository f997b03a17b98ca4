"""Checkpoints that go to the disk as they are serialised."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.runner import runner as theirs

from mmssl.tensor_file import write_tensor_file


@contextmanager
def streamed_saving() -> Iterator[None]:
    """Let ``Runner.save_checkpoint`` write to the file, whole and flushed to the disk, or not at all.

    mmengine (0.10.7) serialises into memory, copies that, and writes the copy. Unnecessary once its backends take a
    stream.
    """
    original = theirs.save_checkpoint
    theirs.save_checkpoint = save_streamed
    try:
        yield
    finally:
        theirs.save_checkpoint = original


def save_streamed(checkpoint: dict, filename: str, file_client_args=None, backend_args=None) -> None:
    """Write a checkpoint; takes the place of mmengine's ``save_checkpoint``.

    Args:
        checkpoint: tensors and plain values.
        filename: a local file.
        file_client_args: of mmengine's function; not looked at, as nothing else than a local file is written.
        backend_args: likewise.
    """
    write_tensor_file(checkpoint, filename)
