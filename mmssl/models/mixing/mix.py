"""Mixing of two batches by a mask (S2, equation 2.10)."""

import torch
from torch import Tensor


def mix(
    mask: Tensor, first: Tensor, second: Tensor, names: tuple[str, str] = ('first images', 'second images')
) -> Tensor:
    """The first batch where the mask is True, the second elsewhere; the same for images, labels and weights.

    Args:
        mask: (B, H, W), bool.
        first: (B, H, W) or (B, C, H, W), any type.
        second: as the first.
        names: of the two, for errors.

    Returns:
        As the two: shape, type and memory format.

    Raises:
        ValueError: batches, or a mask, of different sizes.
    """
    sizes = ['x'.join(map(str, batch.shape[-2:])) for batch in (first, second)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f'{names[0]} are {sizes[0]}, {names[1]} {sizes[1]}: expected one size to mix; add Resize or RandomCrop'
        )
    if first.shape != second.shape:
        raise ValueError(
            f'{names[0]} have shape {tuple(first.shape)}, {names[1]} {tuple(second.shape)}: expected the same to mix'
        )
    if mask.dtype != torch.bool or mask.shape != first.shape[:1] + first.shape[-2:]:
        raise ValueError(
            f'the mask is {mask.dtype} {tuple(mask.shape)}, expected torch.bool (B, H, W) for {names[0]} of shape '
            f'{tuple(first.shape)}'
        )
    return torch.where(mask if first.dim() == 3 else mask[:, None], first, second)
