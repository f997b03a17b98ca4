"""CowMix: two images are mixed by smoothed noise with a threshold (S2, section 2.5.2)."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import torch
from torch import Generator, Tensor

from mmssl.registry import MODELS

from .gaussian import smooth_field


def cow_mask(
    shape: Sequence[int],
    generator: Generator | None = None,
    sigma: tuple[float, float] = (8.0, 32.0),
    proportion: float = 0.5,
    device: torch.device | str | None = None,
) -> Tensor:
    """Gaussian noise, smoothed, cut at the value below which a normal distribution has the given share.

    The threshold is ``mean + std * sqrt(2) * erfinv(2 * proportion - 1)``, with mean and standard deviation of each
    field: the share is right on average, that of one mask varies, more so with a large sigma.

    Args:
        shape: (B, H, W).
        generator: on the CPU; None is torch's global one. It draws sigma, and the seed of the noise, which is drawn on
            ``device``: two kinds of device have different masks.
        sigma: interval from which each image's sigma is drawn log-uniformly, in pixels.
        proportion: expected share of True, in (0, 1).
        device: of the mask.

    Returns:
        (B, H, W), bool.
    """
    low, high = math.log(sigma[0]), math.log(sigma[1])
    sigmas = torch.exp(low + (high - low) * torch.rand(shape[0], generator=generator)).to(device, non_blocking=True)
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    noise = torch.randn(
        tuple(shape), generator=Generator(device or 'cpu').manual_seed(seed), device=device, dtype=torch.float32
    )
    field = smooth_field(noise, sigmas)
    # The mean is 0; torch.std takes five times as long on a CPU.
    std = torch.linalg.vector_norm(field, dim=(1, 2), keepdim=True) / math.sqrt(shape[1] * shape[2])
    return field <= std * NormalDist().inv_cdf(proportion)


@MODELS.register_module()
class CowMix:
    """Draws the masks of CowMix: spots of a size that is drawn for each image.

    Source: S2, section 2.5.2, which takes it from French et al., *Milking CowMask for semi-supervised image
    classification*.

    *Deviation*: the noise repeats itself beyond the border instead of ending there, so that the spots at the border
    are like those inside; opposite borders are alike.

    Args:
        sigma: interval of the smoothing, in pixels, from 1 up; each image's is drawn log-uniformly from it.
        proportion: expected share of the image that is pasted, in (0, 1).
        ignore_index: label of pixels without a class; they are never pasted.

    Raises:
        ValueError: an option outside these values.
    """

    def __init__(
        self, *, sigma: tuple[float, float] = (8.0, 32.0), proportion: float = 0.5, ignore_index: int = 255
    ) -> None:
        if len(sigma) != 2 or not 1 <= sigma[0] <= sigma[1]:
            raise ValueError(f'CowMix: sigma is {sigma}, expected two rising numbers from 1 up')
        if not 0 < proportion < 1:
            raise ValueError(f'CowMix: proportion is {proportion}, expected a number between 0 and 1')
        self.sigma = tuple(sigma)
        self.proportion = proportion
        self.ignore_index = ignore_index

    def draw(self, labels: Tensor, generator: Generator | None = None) -> Tensor:
        """Masks for labels (B, H, W), int64; see :func:`cow_mask`. False on ignored pixels."""
        mask = cow_mask(labels.shape, generator, self.sigma, self.proportion, labels.device)
        return mask.logical_and_(labels != self.ignore_index)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(sigma={self.sigma}, proportion={self.proportion}, ignore_index={self.ignore_index})'
        )
