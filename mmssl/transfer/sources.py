"""Read the checkpoints that weights are taken from."""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import torch
from torch import Tensor

from mmssl.checkpoint_pointer import read_pointer
from mmssl.compat import allow_mmengine_checkpoints
from mmssl.errors import DataError, DataNotFoundError

# Where training frameworks put the weights; a dict without these is a plain state dict.
CONTAINERS = ('state_dict', 'model', 'model_state_dict')
# What DistributedDataParallel and torch.compile put before every name.
PREFIXES = ('module.', '_orig_mod.')


@dataclass(frozen=True)
class SourceCheckpoint:
    """Weights of one file.

    Attributes:
        path: of the file.
        sha256: of its bytes, 64 hexadecimal digits.
        tensors: names and tensors on the CPU, without ``module.`` and ``_orig_mod.``.
    """

    path: str
    sha256: str
    tensors: dict[str, Tensor]


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
    if not _hash_in_name(name):
        name = f'{Path(name).stem}_from_{hashlib.sha256(address.encode()).hexdigest()[:16]}{Path(name).suffix}'
    return Path(torch.hub.get_dir()) / 'checkpoints' / name


def _hash_in_name(name: str) -> str | None:
    # With a letter, as eight digits may be a date.
    match = re.search(r'-(?=[0-9]*[a-f])([0-9a-f]{8,64})\.\w+$', name)
    return match[1] if match else None


def fetch(address: str) -> Path:
    """Fetch a file unless it is there, with a progress bar; it appears under its name only when complete.

    Args:
        address: http(s) address.

    Returns:
        Path of the file.

    Raises:
        DataError: when it cannot be fetched, or is not what the hash in its name says.
    """
    path = download_path(address)
    expected = _hash_in_name(path.name) or ''
    if path.is_file():
        found = _sha256(path)
        if not found.startswith(expected):
            raise DataError(f'{path}: sha256 {found} found, {expected}... expected; remove the file to fetch it again')
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(address, str(path), hash_prefix=expected or None)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f'{address}: cannot be fetched: {_first_line(error)}') from None
    return path


def locate(source: str) -> Path:
    """The file that a rule's ``source`` means; addresses have to be fetched before.

    Args:
        source: checkpoint file, work dir, or http(s) address.

    Returns:
        Path of an existing file.

    Raises:
        DataNotFoundError: when it does not exist, or a work dir has no checkpoint.
    """
    if is_address(source):
        path = download_path(source)
        if not path.is_file():
            raise DataNotFoundError(f'{source}: not fetched, {path} expected')
        return path
    path = Path(source).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise DataNotFoundError(f'{source}: no such checkpoint file or work dir')
    checkpoint = read_pointer(path)
    if checkpoint is None:
        raise DataNotFoundError(f'{source}: a folder without last_checkpoint, expected a work dir or a checkpoint file')
    return checkpoint


def read_checkpoint(path: str | os.PathLike) -> SourceCheckpoint:
    """Read a checkpoint of mmssl, mmengine and its packages, or a plain state dict.

    Args:
        path: file that ``torch.save`` wrote; it is read with ``weights_only=True``.

    Returns:
        Its tensors.

    Raises:
        DataNotFoundError: when there is no such file.
        DataError: when it cannot be read, or holds no tensors under names.
    """
    if not Path(path).is_file():
        raise DataNotFoundError(f'{path}: no such checkpoint file')
    allow_mmengine_checkpoints()
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # a damaged file fails in a dozen ways, from EOFError to UnpicklingError
        raise DataError(
            f'{path}: not a file that torch.load reads with weights_only=True: {_first_line(error)}'
        ) from None
    return SourceCheckpoint(str(path), _sha256(path), _named_tensors(content, path))


def read_sources(sources: Iterable[str]) -> dict[str, SourceCheckpoint]:
    """Read every source once, also where several names mean one file.

    Args:
        sources: as in rules; addresses have to be fetched before.

    Returns:
        The checkpoint of each source.

    Raises:
        DataError: as :func:`locate` and :func:`read_checkpoint`.
    """
    read, by_file = {}, {}
    for source in dict.fromkeys(sources):
        path = locate(source)
        key = path.resolve()
        if key not in by_file:
            by_file[key] = read_checkpoint(path)
        read[source] = by_file[key]
    return read


def _named_tensors(content: object, path: str | os.PathLike) -> dict[str, Tensor]:
    state = content
    if isinstance(content, dict):
        state = next((content[key] for key in CONTAINERS if isinstance(content.get(key), dict)), content)
    if not isinstance(state, dict):
        raise DataError(f'{path}: holds a {type(content).__name__}, expected a state dict or one under state_dict')
    tensors = {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        some = ', '.join(map(str, list(state)[:5])) or 'nothing'
        raise DataError(f'{path}: no tensors under names, expected a state dict; it holds {some}')
    prefix = True
    while prefix:
        prefix = next((p for p in PREFIXES if all(key.startswith(p) for key in tensors)), None)
        if prefix:
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def _sha256(path: str | os.PathLike) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
