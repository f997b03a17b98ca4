"""Files that are written, and get to the disk and to their places later."""

import os
from collections.abc import Callable
from pathlib import Path

from mmssl.atomic_file import flush, path_beside


class PendingFiles:
    """A set of files that lie beside their places until they are flushed to the disk.

    Waiting for a disk takes as long as writing, or longer, and needs nothing of the process: :meth:`settle` may be
    called in another thread. Until then whoever reads finds the old files. After a kill hidden files that end with
    ``.tmp`` may be left (:func:`~mmssl.atomic_file.remove_partial_files`).
    """

    def __init__(self) -> None:
        self._moves: dict[Path, Path] = {}

    @property
    def paths(self) -> list[Path]:
        """The places, in the order of writing."""
        return list(self._moves)

    def write(self, path: str | Path, writer: Callable[[Path], None]) -> None:
        """Write a file beside its place; folders are made.

        Args:
            path: the place; a file that is written again takes the place of the first.
            writer: writes to the path that it gets.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._moves[path] = path_beside(path)
        writer(self._moves[path])

    def settle(self) -> None:
        """Flush all to the disk, and move each to its place, so that a loss of power leaves the old or the new one.

        Raises:
            OSError: the disk has not taken one; those that were not moved are removed, and the old ones are there.
        """
        try:
            for path, partial in self._moves.items():
                flush(partial)
                os.replace(partial, path)
            for folder in {path.parent for path in self._moves}:
                flush(folder)
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what is not in its place."""
        for partial in self._moves.values():
            partial.unlink(missing_ok=True)
