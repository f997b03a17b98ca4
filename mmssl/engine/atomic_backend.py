"""A place for checkpoints from which an old file goes after the new one is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

ATOMIC = 'mmssl.atomic'
"""Name of the backend, as ``backend_args=dict(backend=...)`` takes it."""


@register_backend(ATOMIC, force=True)
class AtomicLocalBackend(LocalBackend):
    """mmengine's backend for local files; what is removed within :meth:`noted_removals` stays.

    Checkpoints are written by :mod:`mmssl.engine.streamed_saving`.
    """

    def __init__(self) -> None:
        self._noted: list[Path] | None = None

    def remove(self, filepath: str | Path) -> None:
        """Remove a file, or note it for later."""
        if self._noted is None:
            super().remove(filepath)
        else:
            self._noted.append(Path(filepath))

    @contextmanager
    def noted_removals(self) -> Iterator[list[Path]]:
        """Only note what is removed, in the list that is given."""
        self._noted = noted = []
        try:
            yield noted
        finally:
            self._noted = None
