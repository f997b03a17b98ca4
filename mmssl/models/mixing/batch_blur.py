"""Gaussian blur of a batch on its device, after mixing (S2, section 3.4)."""

import torch
from torch import Generator, Tensor, nn

from mmssl.registry import MODELS

from .gaussian import gaussian_blur


@MODELS.register_module()
class BatchGaussianBlur(nn.Module):
    """Blur images with a Gaussian of random strength, on the device.

    Source: S2, section 3.4 and 5.2.1: sigma from U(0.15, 1.15), a kernel of one tenth of the image, 50 % for each
    unsupervised batch. What is drawn is drawn on the CPU, so that nothing is read back.

    Args:
        sigma: interval from which sigma is drawn uniformly, in pixels, above 0.
        prob: probability of a blur, in [0, 1].
        per: ``'batch'``: one decision and one sigma for all images of the batch, as in the thesis; ``'image'``:
            decision and sigma for each image.

    Raises:
        ValueError: an option outside these values.
    """

    def __init__(self, *, sigma: tuple[float, float] = (0.15, 1.15), prob: float = 0.5, per: str = 'batch') -> None:
        super().__init__()
        if len(sigma) != 2 or not 0 < sigma[0] <= sigma[1]:
            raise ValueError(f'BatchGaussianBlur: sigma is {sigma}, expected two rising numbers above 0')
        if not 0 <= prob <= 1:
            raise ValueError(f'BatchGaussianBlur: prob is {prob}, expected 0 to 1')
        if per not in ('batch', 'image'):
            raise ValueError(f"BatchGaussianBlur: per is {per!r}, expected 'batch' or 'image'")
        self.sigma = tuple(sigma)
        self.prob = prob
        self.per = per

    def draw(self, count: int, generator: Generator | None = None) -> Tensor:
        """Sigmas of ``count`` decisions: (count,), float64, on the CPU, in pixels; 0 for no blur."""
        decision, share = torch.rand(2, count, generator=generator, dtype=torch.float64)
        low, high = self.sigma
        return (low + (high - low) * share) * (decision < self.prob)

    def forward(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Blur the images.

        Args:
            images: (B, 3, H, W), float, in [0, 1].
            generator: on the CPU; None is torch's global one.

        Returns:
            (B, 3, H, W), in [0, 1]; the same tensor if nothing is blurred.
        """
        sigma = self.draw(len(images) if self.per == 'image' else 1, generator)
        # Weights that sum to 1 but for rounding leave [0, 1] by as much.
        return gaussian_blur(images, sigma).clamp_(0, 1) if bool(sigma.any()) else images

    def extra_repr(self) -> str:
        """The options, for ``print(model)``."""
        return f'sigma={self.sigma}, prob={self.prob}, per={self.per!r}'
