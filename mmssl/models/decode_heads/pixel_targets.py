"""Targets for every pixel that are no class maps."""

from collections.abc import Sequence

import torch
from torch import Tensor

TARGETS = {
    'gt_ab': (2, 'mmssl.ColorizationTarget'),
    'gt_image': (3, 'mmssl.InpaintingTarget or mmssl.DenoisingTarget'),
    'gt_erased': (1, 'mmssl.InpaintingTarget'),
}
"""Channels of a target, and what makes it."""


def stack_pixels(data_samples: Sequence, key: str, size: Sequence[int]) -> Tensor:
    """Stack one target of every sample of a batch.

    Args:
        data_samples: samples with the target, each (channels, H, W).
        key: of the target, one of ``TARGETS``.
        size: height and width of the prediction.

    Returns:
        (B, channels, H, W), the type of the targets.

    Raises:
        ValueError: where a sample has no such target or one of another size.
    """
    channels, maker = TARGETS[key]
    expected, targets = (channels, *size), []
    for sample in data_samples:
        where = sample.get('img_path') or 'a sample'
        if key not in sample:
            raise ValueError(
                f'{where}: no {key}, expected {maker}, and mmssl.PackPretextInputs with {key!r} among its pixel_keys'
            )
        target = sample.get(key).data
        if target.shape != expected:
            raise ValueError(
                f'{where}: {key} has the shape {tuple(target.shape)}, expected {expected} as the prediction; '
                'images must have one size, in multiples of 8, before the transform that makes it'
            )
        targets.append(target)
    return torch.stack(targets)
