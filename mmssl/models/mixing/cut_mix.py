"""CutMix: a rectangle of an image is replaced by that of another (S2, section 2.5.2)."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from mmssl.registry import MODELS


def draw_boxes(shape: Sequence[int], generator: Generator | None = None, area: float = 0.5) -> Tensor:
    """A rectangle inside each image: width uniform from ``area * W`` to ``W``, height by area, position uniform.

    Args:
        shape: (B, H, W) of the images, in pixels.
        generator: on the CPU; None is torch's global one.
        area: of the rectangle, as a share of the image, in (0, 1).

    Returns:
        (B, 4), int64, on the CPU: top, left, height and width in pixels. Height times width is within W / 2 of
        ``area * H * W``.
    """
    B, H, W = shape
    shortest = math.ceil(area * W - 1e-9)  # a narrower rectangle would be higher than the image
    u = torch.rand(3, B, generator=generator, dtype=torch.float64)
    width = shortest + (u[0] * (W - shortest + 1)).floor()
    height = (area * H * W / width).round().clamp(1, H)
    top = (u[1] * (H - height + 1)).floor()
    left = (u[2] * (W - width + 1)).floor()
    return torch.stack([top, left, height, width], dim=1).long()


def cut_mask(
    shape: Sequence[int],
    generator: Generator | None = None,
    area: float = 0.5,
    device: torch.device | str | None = None,
) -> Tensor:
    """Mask that is False in a rectangle of each image, which thus comes from the second image.

    Args:
        shape: (B, H, W).
        generator: on the CPU; None is torch's global one. Only the corners are drawn: they are sent to ``device``.
        area: of the rectangle, as a share of the image, in (0, 1).
        device: of the mask.

    Returns:
        (B, H, W), bool, True outside the rectangle.
    """
    top, left, height, width = draw_boxes(shape, generator, area).to(device, non_blocking=True).T[:, :, None]
    y = torch.arange(shape[1], device=device)
    x = torch.arange(shape[2], device=device)
    rows = (y >= top) & (y < top + height)
    columns = (x >= left) & (x < left + width)
    return ~(rows[:, :, None] & columns[:, None, :])


@MODELS.register_module()
class CutMix:
    """Draws the masks of CutMix: a rectangle of half the image comes from the partner.

    Source: S2, section 2.5.2; widths, heights and which image the rectangle comes from are those of the released code
    of ClassMix.

    Args:
        area: of the rectangle, as a share of the image, in (0, 1).
        ignore_index: label of pixels without a class; they are never pasted.

    Raises:
        ValueError: an area outside (0, 1).
    """

    def __init__(self, *, area: float = 0.5, ignore_index: int = 255) -> None:
        if not 0 < area < 1:
            raise ValueError(f'CutMix: area is {area}, expected a number between 0 and 1')
        self.area = area
        self.ignore_index = ignore_index

    def draw(self, labels: Tensor, generator: Generator | None = None) -> Tensor:
        """Masks for labels (B, H, W), int64; see :func:`cut_mask`. False on ignored pixels."""
        mask = cut_mask(labels.shape, generator, self.area, labels.device)
        return mask.logical_and_(labels != self.ignore_index)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(area={self.area}, ignore_index={self.ignore_index})'
