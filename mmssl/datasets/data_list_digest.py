"""Whether two runs list the same samples in the same order."""

import hashlib
import json
import os

from mmssl.datasets.plain_datasets import plain_datasets


def data_list_digest(dataset) -> str:
    """Hash of the samples of a dataset: their order, files and ids; not what the files hold, nor where they lie.

    Args:
        dataset: with or without wrappers, also one of pairs or of several tasks.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in plain_datasets(dataset):
        root = os.path.join(str(getattr(part, 'data_root', '') or ''), '')
        digest.update(f'{type(part).__name__} {len(part)}\n'.encode())
        for index in range(len(part)):
            entry = {key: _portable(value, root) for key, value in part.get_data_info(index).items()}
            digest.update(json.dumps(entry, sort_keys=True, default=lambda other: None).encode())
    return digest.hexdigest()


def _portable(value, root: str):
    """A value without the folder that all files are in, which may be moved."""
    return value.removeprefix(root) if isinstance(value, str) else value
