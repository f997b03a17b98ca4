"""Text lists of a split: draw, read, validate, resolve to the files that exist."""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from mmssl.errors import DataError, DataNotFoundError

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm')
"""Suffixes of image files, lower case, by which a list line with two columns is recognised."""

_SHOWN = 3


def first_few(names: Sequence[str]) -> str:
    """The first three names for an error message, and an ellipsis when there are more."""
    return ', '.join(names[:_SHOWN]) + (', ...' if len(names) > _SHOWN else '')


def rank_names(names: Sequence[str], key: str) -> list[str]:
    """Names by the SHA-256 of ``key/name``: a random order, the same on every machine; new names reorder no others."""
    return sorted(names, key=lambda name: hashlib.sha256(f'{key}/{name}'.encode()).digest())


def read_split_list(path: str | Path) -> list[str]:
    """Read the names of a split, one a line.

    A line is a stem (``a``, ``city/a``), a file name (``a.png``), or, as in the lists of the SegNet tutorial, the path
    of an image and the path of its mask separated by white space; then the first column is the name. Empty lines are
    skipped.

    Args:
        path (str | Path): The text file, UTF-8.

    Returns:
        list[str]: The names in the order of the file.

    Raises:
        DataNotFoundError: The file does not exist.
        DataError: It is not text, holds no name, holds a name twice, or holds a name with ``..`` in it.
    """
    path = Path(path)
    if not path.is_file():
        raise DataNotFoundError(f'{path}: the list of the split does not exist')
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError:
        raise DataError(f'{path}: not a text file; expected one name a line') from None

    line_of: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        name = _first_column(line.strip())
        if not name:
            continue
        if name in line_of:
            raise DataError(f'{path}: {name} stands on line {line_of[name]} and again on line {number}')
        if '..' in PurePosixPath(name).parts:
            raise DataError(f'{path}: line {number}: {name} leaves the data folder; expected a name inside it')
        line_of[name] = number
    if not line_of:
        raise DataError(f'{path}: the list of the split is empty; expected one name a line')
    return list(line_of)


def _first_column(line: str) -> str:
    """The image of a line with two columns, else the line: a name may hold spaces."""
    columns = line.split()
    if len(columns) == 2 and all(PurePosixPath(column).suffix.lower() in IMAGE_SUFFIXES for column in columns):
        return columns[0]
    return line


def strip_suffix(name: str, suffixes: Sequence[str]) -> str:
    """``name`` without the longest of ``suffixes`` it ends with."""
    for suffix in sorted(suffixes, key=len, reverse=True):
        if suffix and name.endswith(suffix):
            return name[: -len(suffix)]
    return name


def resolve_names(names: Sequence[str], stems: Collection[str], suffixes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Match the names of a list with the stems that exist.

    A relative name must be a stem, with or without one of the suffixes. An absolute one was written on another
    machine: the longest end of its path that is a stem counts.

    Args:
        names (Sequence[str]): Names of a list.
        stems (Collection[str]): Existing images, relative to their folder, without suffix.
        suffixes (Sequence[str]): Suffixes that an image may have.

    Returns:
        tuple[list[str], list[str]]: The stems in the order of the names, and the names that match none.
    """
    found, unknown = [], []
    for name in names:
        for candidate in _candidates(name):
            stem = candidate if candidate in stems else strip_suffix(candidate, suffixes)
            if stem in stems:
                found.append(stem)
                break
        else:
            unknown.append(name)
    return found, unknown


def _candidates(name: str) -> list[str]:
    path = PurePosixPath(name)
    if not path.is_absolute():
        return [str(path)]
    parts = path.parts[1:]
    return ['/'.join(parts[start:]) for start in range(len(parts))]
