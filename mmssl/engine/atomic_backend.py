"""A place for checkpoints from which an old file goes after the new one is there."""

from collections.abc import Iterable
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

ATOMIC = 'mmssl.atomic'
"""Name of the backend, as ``backend_args=dict(backend=...)`` takes it."""


@register_backend(ATOMIC, force=True)
class AtomicLocalBackend(LocalBackend):
    """mmengine's backend for local files; what is removed after :meth:`keep_removed` stays until :meth:`remove_kept`.

    Checkpoints are written by :mod:`mmssl.engine.streamed_saving`.
    """

    def __init__(self) -> None:
        self._waiting: list[str] | None = None

    def remove(self, filepath: str | Path) -> None:
        """Remove a file, or note it for later."""
        if self._waiting is None:
            super().remove(filepath)
        else:
            self._waiting.append(str(filepath))

    def keep_removed(self) -> None:
        """From now on note what is removed."""
        self._waiting = []

    def remove_kept(self, but: Iterable[str | Path] = ()) -> None:
        """Remove what was noted, ``but`` these files."""
        waiting, self._waiting = self._waiting or [], None
        stay = {Path(path) for path in but}
        for path in waiting:
            if Path(path) not in stay:
                super().remove(path)
