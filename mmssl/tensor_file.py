"""Files of tensors and plain values: written whole or not at all, read without running code."""

import re
import zipfile
from pathlib import Path

import torch

from mmssl.atomic_file import atomic_file
from mmssl.compat import allow_mmengine_checkpoints
from mmssl.errors import DataError, DataNotFoundError, one_line, printable
from mmssl.hash_in_name import check_hash_in_name
from mmssl.safetensors_file import SUFFIX, read_safetensors, safetensors_bytes

ASKED = 'it asks for'


class UnreadableError(DataError):
    """What is wrong with a file of tensors, without its name."""


def write_tensor_file(content: dict, path: str | Path) -> None:
    """Write a file beside its place and move it there; folders are made.

    Args:
        content: tensors and plain values, as ``torch.load(weights_only=True)`` reads them.
        path: the file; an older one is replaced at once or, on an error, kept. With the suffix ``.safetensors`` it is
            of that format, which holds ``state_dict`` and ``meta``.

    Raises:
        DataError: safetensors cannot hold the content.
        OSError: it cannot be written, as on a full disk.
    """
    with atomic_file(path, durable=True) as partial:
        save_tensors(content, partial, Path(path).suffix)


def save_tensors(content: dict, path: Path, suffix: str) -> None:
    """Write a file in place, as :func:`write_tensor_file` does without its care.

    Args:
        content: tensors and plain values.
        path: the file; an older one is overwritten.
        suffix: of the format, ``.safetensors`` or any other for that of ``torch.save``.

    Raises:
        DataError: safetensors cannot hold the content.
        OSError: it cannot be written.
    """
    if suffix == SUFFIX:
        path.write_bytes(safetensors_bytes(content))
        return
    # Into a file of Python's: where torch opens it, a full disk is an error about positions in the archive.
    with path.open('wb') as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def read_tensors(path: str | Path, map_location=None) -> object:
    """Read a file, by its suffix of ``torch.save`` or of safetensors; the one place where weights are unpickled.

    Nothing but tensors, plain values and mmengine's ``HistoryBuffer`` is made of a pickle, whatever the environment
    says (``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` changes only calls that leave ``weights_only`` open). Before that the
    bytes are compared with the checksums of torch's archive, at which ``torch.load`` does not look, and with the hash
    in the file's name.

    Args:
        path: an existing file.
        map_location: as ``torch.load`` takes it; safetensors know devices only, other values leave them on the CPU.

    Returns:
        What is in it; of safetensors ``state_dict`` and ``meta``.

    Raises:
        UnreadableError: damaged, of no known format, or holding more than tensors and plain values.
        DataError: not what the hash in its name says.
    """
    check_hash_in_name(path)
    if Path(path).suffix == SUFFIX:
        content = _read_by(read_safetensors, path)
        if isinstance(map_location, (str, torch.device)):
            content['state_dict'] = {name: tensor.to(map_location) for name, tensor in content['state_dict'].items()}
        return content
    damage = archive_damage(path)
    if damage:
        raise UnreadableError(damage)
    allow_mmengine_checkpoints()
    try:
        return _read_by(torch.load, path, map_location=map_location, weights_only=True)
    except UnreadableError as error:
        if _is_archive(path) or ASKED in str(error):
            raise
        raise UnreadableError('no archive of torch, nor a file of torch before 1.6') from None


def read_tensor_file(path: str | Path, what: str, map_location='cpu') -> dict:
    """Read a file that ``torch.save`` wrote, or one of safetensors.

    Args:
        path: the file.
        what: its kind, for the message.
        map_location: where the tensors go, as :func:`read_tensors` takes it.

    Returns:
        The dict in it, tensors on the CPU unless told otherwise.

    Raises:
        DataNotFoundError: no such file.
        DataError: damaged, no dict, holding more than tensors and plain values, or not what the hash in its name says.
    """
    if not Path(path).is_file():
        raise DataNotFoundError(f'{what} {path}: no such file')
    try:
        content = read_tensors(path, map_location)
    except UnreadableError as error:
        raise DataError(f'{what} {path}: damaged or no such file: {error}') from None
    if not isinstance(content, dict):
        raise DataError(f'{what} {path}: {type(content).__name__} found, a dict expected')
    return content


def read_state_dict(path: str | Path, what: str) -> dict[str, torch.Tensor]:
    """Read the weights of a checkpoint: a state dict, or a dict with the key ``state_dict``.

    Returns:
        Name to tensor on the CPU; ``module.`` of a wrapped model is taken off.

    Raises:
        DataNotFoundError: no such file.
        DataError: damaged, or no tensor in it.
    """
    return named_tensors(read_tensor_file(path, what), f'{what} {path}')


def named_tensors(content: dict, where: str) -> dict[str, torch.Tensor]:
    """The weights in what was read, as :func:`read_state_dict` gives them.

    Raises:
        DataError: no tensor in it.
    """
    state = content.get('state_dict', content)
    state = state if isinstance(state, dict) else {}
    tensors = {str(k).removeprefix('module.'): v for k, v in state.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise DataError(f'{where}: no tensor in it, a state dict or a checkpoint with one expected')
    return tensors


def archive_damage(path: str | Path) -> str | None:
    """What is wrong with an archive of torch: every byte of it is compared with the checksums in it.

    Returns:
        The damage; None for a whole archive, and for files that are none, such as those of torch before 1.6.
    """
    try:
        if not _is_archive(path):
            return None
        with zipfile.ZipFile(path) as archive:
            record = archive.testzip()
    except Exception as error:  # an entry with wrong bits may claim another compression, a password, a size
        return printable(one_line(error))[:200]
    return f'its record {printable(record)} has another checksum' if record else None


def _is_archive(path: str | Path) -> bool:
    with open(path, 'rb') as file:
        return file.read(4) == b'PK\x03\x04'  # by which torch tells its formats apart


def _read_by(reader, path: str | Path, **options) -> object:
    try:
        return reader(path, **options)
    except Exception as error:  # a damaged file can raise anything
        raise UnreadableError(_reason(error)) from None


def _reason(error: Exception) -> str:
    """What torch has against a file, without its advice to trust it."""
    text = printable(re.sub(r'\x1b\[\d*m', '', one_line(error)))
    asked = re.search(r'GLOBAL (\S+) (?:was not an allowed|whose module)', text)
    if asked:
        return f'{ASKED} {asked[1]}, tensors and plain values expected; nothing of it was run'
    text = re.sub(
        r'\S*Weights only load failed\.|In PyTorch 2\.6.*?trusted source\.|Check the documentation.*', '', text
    )
    text = re.sub(r'This file can still be loaded.*?WeightsUnpickler error:|Please file an issue.*?error:', '', text)
    return ' '.join(text.split())[:200] or type(error).__name__
