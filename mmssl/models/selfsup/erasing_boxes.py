"""Where images are erased (S1, section 3.1.3)."""

import torch
from torch import Generator, Tensor

# Candidates an image and pass: one in three fits at the thesis' ranges, so that few images need a second pass.
CANDIDATES, PASSES = 16, 500


def draw_rectangles(
    count: int,
    size: tuple[int, int],
    generator: Generator | None = None,
    area: tuple[float, float] = (0.02, 0.4),
    aspect: tuple[float, float] = (0.3, 1 / 0.3),
) -> Tensor:
    """Rectangles of Random Erasing, S1, equations 3.3 and 3.4.

        H_e = sqrt(S_e * r_e),  W_e = sqrt(S_e / r_e),  kept if x_e + W_e <= W and y_e + H_e <= H

    Point, area S_e and aspect ratio r_e are uniform and drawn again, all of them, until the rectangle fits. Sides are
    rounded to whole pixels, at least one.

    Args:
        count: number of rectangles.
        size: height and width of the image, in pixels.
        generator: on the CPU; None is torch's global one.
        area: interval of S_e, as a share of the image.
        aspect: interval of r_e, height / width.

    Returns:
        (count, 1, 4), int64, on the CPU: top, left, height and width in pixels.

    Raises:
        ValueError: none of 8000 rectangles fits the image.
    """
    H, W = size
    boxes = torch.zeros(count, 4, dtype=torch.float64)
    missing = torch.arange(count)
    for _ in range(PASSES):
        u = torch.rand(4, len(missing), CANDIDATES, generator=generator, dtype=torch.float64)
        erased = (area[0] + (area[1] - area[0]) * u[0]) * H * W
        ratio = aspect[0] + (aspect[1] - aspect[0]) * u[1]
        height, width = (erased * ratio).sqrt().round().clamp(min=1), (erased / ratio).sqrt().round().clamp(min=1)
        top, left = (u[2] * H).floor(), (u[3] * W).floor()
        fits = (top + height <= H) & (left + width <= W)
        first = fits.int().argmax(dim=1)  # the first of equal ones, by torch's word
        drawn = torch.stack([top, left, height, width], dim=-1)[torch.arange(len(missing)), first]
        found = fits.any(dim=1)
        boxes[missing[found]] = drawn[found]
        missing = missing[~found]
        if not len(missing):
            return boxes[:, None].long()
    raise ValueError(
        f'no rectangle of area {area} and aspect {aspect} fits images of {H}x{W}, expected a smaller area or an aspect '
        'nearer to theirs'
    )


def draw_patches(
    count: int, size: tuple[int, int], generator: Generator | None = None, patches: int = 50, side: int = 10
) -> Tensor:
    """Squares of Random Patched Erasing (S1, section 3.1.3): inside the image, at uniform places; they may overlap.

    Args:
        count: number of images.
        size: height and width of the image, in pixels.
        generator: on the CPU; None is torch's global one.
        patches: number of squares of an image.
        side: of a square, in pixels.

    Returns:
        (count, patches, 4), int64, on the CPU: top, left, height and width in pixels.

    Raises:
        ValueError: the image is smaller than a square.
    """
    if side > min(size):
        raise ValueError(f'patches to erase have a side of {side}, images {size[0]}x{size[1]}: expected a smaller side')
    places = torch.tensor(size, dtype=torch.float64) - side + 1
    corners = (torch.rand(count, patches, 2, generator=generator, dtype=torch.float64) * places).floor().long()
    return torch.cat([corners, torch.full_like(corners, side)], dim=-1)


def boxes_mask(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Mask of the pixels that are in at least one box of their image.

    Args:
        boxes: (B, N, 4), int64: top, left, height and width in pixels.
        size: height and width of the image, in pixels.

    Returns:
        (B, H, W), bool, on the device of the boxes.
    """
    top, left, height, width = boxes[..., None].unbind(dim=2)
    y, x = (torch.arange(side, device=boxes.device) for side in size)
    rows, columns = (y >= top) & (y < top + height), (x >= left) & (x < left + width)
    # The sum over boxes of row times column; any precision that tells 0 from 1 will do.
    return torch.bmm(rows.transpose(1, 2).float(), columns.float()) > 0
