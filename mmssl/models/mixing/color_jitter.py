"""Colour jitter of a batch on its device, after mixing (S2, section 3.4)."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from mmssl.registry import MODELS

from .hue import adjust_hue

ADJUSTMENTS = {
    'brightness': functional.adjust_brightness,
    'contrast': functional.adjust_contrast,
    'saturation': functional.adjust_saturation,
    'hue': adjust_hue,
}


def color_jitter(images: Tensor, changes: Sequence[tuple[str, float]]) -> Tensor:
    """Change the colours of images, all by the same amounts; as torchvision's functions of these names do.

    Args:
        images: (B, 3, H, W), float, RGB, in [0, 1].
        changes: one of ``brightness``, ``contrast``, ``saturation`` (factors) and ``hue`` (in turns), and how much, in
            the order in which they are made.

    Returns:
        (B, 3, H, W), in [0, 1]; the same tensor if there is nothing to change.
    """
    for name, amount in changes:
        images = ADJUSTMENTS[name](images, amount)
    return images


@MODELS.register_module()
class BatchColorJitter(nn.Module):
    """Change brightness, contrast, saturation and hue by random amounts, in random order, on the device.

    Source: S2, section 3.4 and 5.2.1. What is drawn is drawn on the CPU, so that nothing is read back. Defaults are the
    strengths of the released code of ClassMix and DACS, which apply them with a probability of 0.8.

    Args:
        brightness: x draws the factor from [max(0, 1 - x), 1 + x]; or the interval itself.
        contrast: as brightness; towards the mean grey value of each image.
        saturation: as brightness.
        hue: x draws the shift, in turns of the colour circle, from [-x, x], x at most 0.5; or the interval itself.
        prob: probability of a change, in [0, 1].
        per: ``'batch'``: one decision, order and set of amounts for all images of the batch, as in the thesis (50 % for
            each unsupervised batch); ``'image'``: decision, order and amounts for each image.

    Raises:
        ValueError: an option outside these values.
    """

    def __init__(
        self,
        *,
        brightness: float | Sequence[float] = 0.25,
        contrast: float | Sequence[float] = 0.25,
        saturation: float | Sequence[float] = 0.25,
        hue: float | Sequence[float] = 0.25,
        prob: float = 0.5,
        per: str = 'batch',
    ) -> None:
        super().__init__()
        if not 0 <= prob <= 1:
            raise ValueError(f'BatchColorJitter: prob is {prob}, expected 0 to 1')
        if per not in ('batch', 'image'):
            raise ValueError(f"BatchColorJitter: per is {per!r}, expected 'batch' or 'image'")
        # torchvision checks the amounts and turns them into intervals, None for one that changes nothing.
        checked = v2.ColorJitter(brightness, contrast, saturation, hue)
        intervals = {name: getattr(checked, name) for name in ADJUSTMENTS}
        self.intervals = {name: interval for name, interval in intervals.items() if interval is not None}
        self.prob = prob
        self.per = per

    def draw(self, generator: Generator | None = None) -> list[tuple[str, float]]:
        """What to change and by how much, in order; empty for a batch, or an image, that stays as it is."""
        if float(torch.rand((), generator=generator)) >= self.prob:
            return []
        order = torch.randperm(len(self.intervals), generator=generator).tolist()
        shares = torch.rand(len(self.intervals), generator=generator, dtype=torch.float64).tolist()
        changes = [
            (name, low + (high - low) * share)
            for (name, (low, high)), share in zip(self.intervals.items(), shares, strict=True)
        ]
        return [changes[i] for i in order]

    def forward(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Change the images.

        Args:
            images: (B, 3, H, W), float, RGB, in [0, 1].
            generator: on the CPU; None is torch's global one.

        Returns:
            (B, 3, H, W), in [0, 1]; the same tensor if nothing is changed.
        """
        if self.per == 'batch':
            return color_jitter(images, self.draw(generator))
        changes = [self.draw(generator) for _ in images]
        if not any(changes):
            return images
        changed = torch.empty_like(images)
        for i, change in enumerate(changes):
            changed[i] = color_jitter(images[i : i + 1], change)[0]
        return changed

    def extra_repr(self) -> str:
        """The options, for ``print(model)``."""
        return f'{self.intervals}, prob={self.prob}, per={self.per!r}'
