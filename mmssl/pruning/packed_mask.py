"""Masks as bits, eight weights a byte, for files."""

from math import prod

import numpy as np
import torch
from torch import Tensor

from mmssl.errors import DataError


def pack_mask(mask: Tensor) -> dict:
    """Pack a mask.

    Args:
        mask: bool, any shape.

    Returns:
        ``bits`` ((n + 7) // 8 uint8, the first weight in the highest bit, zeros behind the last) and ``shape`` (list
        of int): a tensor and plain values.
    """
    bits = np.packbits(mask.detach().cpu().numpy().reshape(-1))
    return {'bits': torch.from_numpy(bits), 'shape': list(mask.shape)}


def unpack_mask(packed: dict, where: str) -> Tensor:
    """Unpack a mask.

    Args:
        packed: what :func:`pack_mask` returned.
        where: file and name, for the message.

    Returns:
        The mask on the CPU, bool.

    Raises:
        DataError: the parts are missing or do not fit together.
    """
    bits, shape = (packed.get('bits'), packed.get('shape')) if isinstance(packed, dict) else (None, None)
    whole = isinstance(shape, list) and all(isinstance(size, int) and size >= 0 for size in shape)
    if not whole or not isinstance(bits, Tensor) or bits.dtype != torch.uint8 or bits.dim() != 1:
        raise DataError(f'{where}: not a packed mask, "bits" (uint8) and "shape" expected')
    count = prod(shape)
    if bits.numel() != (count + 7) // 8:
        raise DataError(f'{where}: {bits.numel()} bytes of mask found, {(count + 7) // 8} expected for shape {shape}')
    unpacked = np.unpackbits(bits.cpu().numpy(), count=count)
    return torch.from_numpy(unpacked.astype(bool)).view(shape)
