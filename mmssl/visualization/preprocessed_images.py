"""What a data preprocessor hands to the network, as pictures again."""

import numpy as np
from torch import Tensor, nn


def to_pictures(inputs: Tensor, preprocessor: nn.Module, *, rgb: bool) -> list[np.ndarray]:
    """Undoes the normalisation of a batch.

    Args:
        inputs: (B, 3, H, W) float, as the network receives it, or (B, 1, H, W) in grey.
        preprocessor: the module that made it; its ``mean`` and ``std`` (none where it does not normalise) are undone.
        rgb: whether the channels are in the order red, green, blue.

    Returns:
        B images, each (H, W, 3) uint8 RGB; values that were outside 0..255 are clipped.

    Raises:
        ValueError: neither 1 nor 3 channels.
    """
    if inputs.dim() != 4 or inputs.shape[1] not in (1, 3):
        raise ValueError(f'to_pictures: shape {tuple(inputs.shape)} found, (B, 3, H, W) or (B, 1, H, W) expected')
    images = inputs.detach().float().cpu()
    mean, std = getattr(preprocessor, 'mean', None), getattr(preprocessor, 'std', None)
    if mean is not None and std is not None:
        images = images * std.cpu() + mean.cpu()
    images = images.expand(-1, 3, -1, -1)
    if not rgb:
        images = images.flip(1)
    return list(images.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy())


def is_rgb(settings: dict) -> bool:
    """Tells the channel order behind a preprocessor from its config: OpenMMLab loads images as BGR.

    Args:
        settings: config of the data preprocessor.

    Returns:
        True where it turns BGR into RGB. ``rgb_to_bgr`` says that images were loaded as RGB, so BGR follows.
    """
    return bool(settings.get('bgr_to_rgb', False))
