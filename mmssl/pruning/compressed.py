"""Weights without their zeros: a bit a number, and the numbers that are not zero."""

import hashlib
import json
from collections.abc import Mapping

import torch
from torch import Tensor

from mmssl.errors import DataError

from .packed_mask import pack_mask, unpack_mask

FORMAT = 'mmssl compressed weights 1'
# A tensor is looked at as integers: a negative zero is not all bits zero and comes back as it was.
INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
SMALLEST = 64  # numbers; below it the parts take more room than the zeros


def compress(state_dict: Mapping[str, Tensor], meta: dict | None = None) -> dict:
    """Leave out zeros where that saves room.

    Args:
        state_dict: name to tensor, any shape and type.
        meta: plain values to keep beside the weights, such as classes.

    Returns:
        A dict of tensors and plain values: each tensor in ``dense``, or in ``sparse`` as ``bits``, ``shape`` and
        ``values``, and the sha256 of names, types, shapes, contents and ``meta``.
    """
    meta = meta or {}
    sparse, dense = {}, {}
    for name, tensor in state_dict.items():
        tensor = tensor.detach().cpu().contiguous()
        occupied = _occupied(tensor)
        if occupied is None:
            dense[name] = tensor.clone()  # a view would drag its whole storage into the file
        else:
            sparse[name] = {**pack_mask(occupied), 'values': tensor[occupied]}
    content = {'format': FORMAT, 'meta': meta, 'order': list(state_dict), 'sparse': sparse, 'dense': dense}
    return {**content, 'sha256': _digest(state_dict, meta)}


def decompress(content: dict, where: str) -> tuple[dict[str, Tensor], dict]:
    """Undo :func:`compress`.

    Args:
        content: what it returned.
        where: file, for messages.

    Returns:
        The state dict, equal in every bit and in its order, and ``meta``.

    Raises:
        DataError: not such a dict, or changed since it was made.
    """
    if content.get('format') != FORMAT:
        raise DataError(f'{where}: format {content.get("format")!r} found, {FORMAT!r} expected')
    try:
        state = {name: _restore(name, content, where) for name in content['order']}
        digest, found = _digest(state, content['meta']), content['sha256']
    except DataError:
        raise
    except Exception as error:  # parts of a changed file can be anything
        raise DataError(f'{where}: the file was changed since it was written: {error}') from None
    if digest != found:
        raise DataError(f'{where}: the file was changed since it was written: sha256 {digest}, {found} expected')
    return state, content['meta']


def _occupied(tensor: Tensor) -> Tensor | None:
    """Where the bits are not all zero; None when leaving zeros out saves nothing."""
    size = tensor.element_size()
    if tensor.numel() < SMALLEST or size not in INTEGERS or tensor.is_quantized:
        return None
    occupied = tensor.view(INTEGERS[size]) != 0
    zeros = tensor.numel() - int(occupied.sum())
    return occupied if 8 * size * zeros > tensor.numel() else None


def _restore(name: str, content: dict, where: str) -> Tensor:
    if name in content['dense']:
        return content['dense'][name]
    packed = content['sparse'][name]
    occupied = unpack_mask(packed, f'{where}: {name}')
    values = packed['values']
    if values.numel() != int(occupied.sum()):
        found = f'{values.numel()} values found, {int(occupied.sum())} expected'
        raise DataError(f'{where}: {name}: the file was changed since it was written: {found}')
    tensor = torch.zeros(occupied.shape, dtype=values.dtype)
    tensor[occupied] = values
    return tensor


def _digest(state_dict: Mapping[str, Tensor], meta: dict) -> str:
    total = hashlib.sha256(json.dumps(meta, sort_keys=True, default=repr).encode())
    for name, tensor in state_dict.items():
        tensor = tensor.detach().cpu().contiguous()
        total.update(f'|{name}|{tensor.dtype}|{tuple(tensor.shape)}|'.encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()
