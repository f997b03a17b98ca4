"""Read the checkpoints that weights are taken from."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mmssl.checkpoint_pointer import read_pointer
from mmssl.download import download_path, is_address
from mmssl.errors import DataError, DataNotFoundError, printable
from mmssl.hash_in_name import file_sha256
from mmssl.tensor_file import UnreadableError, read_tensors

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
        path: file that ``torch.save`` wrote, which is read with ``weights_only=True``, or one of safetensors.

    Returns:
        Its tensors.

    Raises:
        DataNotFoundError: when there is no such file.
        DataError: when it cannot be read, holds no tensors under names, or is not what the hash in its name says.
    """
    if not Path(path).is_file():
        raise DataNotFoundError(f'{path}: no such checkpoint file')
    try:
        content = read_tensors(path, map_location='cpu')
    except UnreadableError as error:
        raise DataError(f'{path}: not a file that torch.load reads with weights_only=True: {error}') from None
    return SourceCheckpoint(str(path), file_sha256(path), _named_tensors(content, path))


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
        some = printable(', '.join(map(str, list(state)[:5]))) or 'nothing'
        raise DataError(f'{path}: no tensors under names, expected a state dict; it holds {some}')
    prefix = True
    while prefix:
        prefix = next((p for p in PREFIXES if all(key.startswith(p) for key in tensors)), None)
        if prefix:
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors
