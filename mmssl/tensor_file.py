"""Files of tensors and plain values: written whole or not at all, read without running code."""

from pathlib import Path

import torch

from mmssl.atomic_file import atomic_file
from mmssl.compat import allow_mmengine_checkpoints
from mmssl.errors import DataError, DataNotFoundError, one_line


def write_tensor_file(content: dict, path: str | Path) -> None:
    """Write a file beside its place and move it there; folders are made.

    Args:
        content: tensors and plain values, as ``torch.load(weights_only=True)`` reads them.
        path: the file; an older one is replaced at once or, on an error, kept.
    """
    with atomic_file(path, durable=True) as partial:
        torch.save(content, partial)


def read_tensor_file(path: str | Path, what: str) -> dict:
    """Read a file that ``torch.save`` wrote.

    Args:
        path: the file.
        what: its kind, for the message.

    Returns:
        The dict in it, tensors on the CPU.

    Raises:
        DataNotFoundError: no such file.
        DataError: damaged, no dict, or holding more than tensors and plain values.
    """
    if not Path(path).is_file():
        raise DataNotFoundError(f'{what} {path}: no such file')
    allow_mmengine_checkpoints()
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f'{what} {path}: damaged or no such file: {one_line(error)[:200]}') from None
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
    content = read_tensor_file(path, what)
    state = content.get('state_dict', content)
    state = state if isinstance(state, dict) else {}
    tensors = {str(k).removeprefix('module.'): v for k, v in state.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise DataError(f'{what} {path}: no tensor in it, a state dict or a checkpoint with one expected')
    return tensors
