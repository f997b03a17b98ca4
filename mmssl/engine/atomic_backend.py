"""A place for checkpoints in which no file is ever half written."""

from collections.abc import Iterable
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from mmssl.atomic_file import atomic_file

ATOMIC = 'mmssl.atomic'
"""Name of the backend, as ``backend_args=dict(backend=...)`` takes it."""


@register_backend(ATOMIC, force=True)
class AtomicLocalBackend(LocalBackend):
    """mmengine's backend for local files, which writes them whole and flushed to the disk, or not at all.

    Files that are removed while :meth:`keep_removed` is on stay until :meth:`remove_kept`.
    """

    def __init__(self) -> None:
        self._waiting: list[str] | None = None

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file."""
        with atomic_file(filepath, durable=True) as partial:
            partial.write_bytes(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write a file of text."""
        self.put(obj.encode(encoding), filepath)

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
