"""The part of its SHA-256 that a published file carries in its name, as ``resnet50-0676ba61.pth``."""

import hashlib
import os
import re
import warnings
from datetime import datetime
from pathlib import Path

from mmssl.errors import DataError

SWITCH = 'MMSSL_HASH_IN_NAME'
"""Environment variable; with the value ``warn`` a file that is not what its name says is warned of and read."""


def hash_in_name(name: str) -> str | None:
    """The hash at the end of a file's name: ``-``, 8 to 64 hexadecimal digits, suffix.

    Args:
        name: of the file, without folder.

    Returns:
        The digits; None where there are none, or eight that are a date (``net-20240101.pth``).
    """
    match = re.search(r'-([0-9a-f]{8,64})\.\w+$', name)
    return match[1] if match and not _is_date(match[1]) else None


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest() if hasattr(hashlib, 'file_digest') else _digest(file)


def check_hash_in_name(path: str | os.PathLike, name: str | None = None, source: str | None = None) -> None:
    """Compare a file with the hash in its name; one without a hash passes.

    Some files of OpenMMLab carry a hash that is not theirs: mmseg's ``publish_model.py`` takes that of its input, and
    mmengine's ``CheckpointHook(published_keys=...)`` that of a pickle in memory (mim #11, mmcv #600). Who has looked
    can rename the file, or set ``MMSSL_HASH_IN_NAME=warn``.

    Args:
        path: the file.
        name: the one that counts, where it is not that of ``path``.
        source: what the message names instead of ``path``.

    Raises:
        DataError: the file is not what its name says.
    """
    expected = hash_in_name(name or Path(path).name)
    found = file_sha256(path) if expected else ''
    if not expected or found.startswith(expected):
        return
    text = f'{source or path}: sha256 {found} found, {expected}... expected by its name'
    if os.environ.get(SWITCH) != 'warn':
        raise DataError(f'{text}; under another name, or with {SWITCH}=warn, it is read nevertheless')
    warnings.warn(f'{text}; read nevertheless, for {SWITCH}=warn', stacklevel=2)


def _is_date(digits: str) -> bool:
    try:
        return len(digits) == 8 and 1990 <= datetime.strptime(digits, '%Y%m%d').year < 2100
    except ValueError:
        return False


def _digest(file) -> str:
    # Python 3.10 has no hashlib.file_digest.
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
