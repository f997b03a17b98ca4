"""Fetch weights from addresses, whole or not at all, and never under a name that is not theirs."""

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import torch

from mmssl.atomic_file import atomic_file
from mmssl.errors import DataError
from mmssl.hash_in_name import check_hash_in_name, hash_in_name


def is_address(source: str) -> bool:
    """Whether ``source`` is fetched from the network."""
    return source.startswith(('http://', 'https://'))


def download_path(address: str) -> Path:
    """Where the file of an address is kept: in torch's hub folder, as torchvision's are.

    Args:
        address: http(s) address. When the file's name ends with a part of its SHA-256 as in
            ``resnet50-0676ba61.pth``, it keeps its name; others get a part of the address's, as ``epoch_60.pth``
            may come from many places.

    Returns:
        The path; the file may not exist.
    """
    name = Path(urlsplit(address).path).name or 'checkpoint.pth'
    if not hash_in_name(name):
        name = f'{Path(name).stem}_from_{hashlib.sha256(address.encode()).hexdigest()[:16]}{Path(name).suffix}'
    return Path(torch.hub.get_dir()) / 'checkpoints' / name


def fetch(address: str) -> Path:
    """Fetch a file unless it is there, with a progress bar; it appears under its name only when complete.

    Args:
        address: http(s) address.

    Returns:
        Path of the file.

    Raises:
        DataError: when it cannot be fetched, or is not what the hash in its name says; it is removed then.
    """
    path = download_path(address)
    if path.is_file():
        try:
            check_hash_in_name(path, source=address)
        except DataError as error:
            path.unlink(missing_ok=True)
            raise DataError(f'{error}; {path} is removed') from None
        return path
    with atomic_file(path) as partial:
        try:
            torch.hub.download_url_to_file(address, str(partial))
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f'{address}: cannot be fetched: {_first_line(error)}') from None
        check_hash_in_name(partial, path.name, address)
    return path


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
