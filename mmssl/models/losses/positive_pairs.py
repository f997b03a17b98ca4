"""Which pixels of two views show the same place (S1, equation 2.12)."""

import torch
from torch import Tensor


def centres_in_image(boxes: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Where the cells of a map lie in the original image; their grid is the product of both results.

    Args:
        boxes: (..., 4), float: x1, y1, x2, y2 of a view in pixels of the original image, continuous edges; x1 > x2
            where it was flipped.
        size: (H, W) of the map.

    Returns:
        x (..., W) of the columns and y (..., H) of the rows, in pixels.
    """
    (height, width), (x1, y1, x2, y2) = size, boxes.unbind(-1)
    shares_x, shares_y = ((torch.arange(n, device=boxes.device) + 0.5).to(boxes) / n for n in (width, height))
    x = x1[..., None] + shares_x * (x2 - x1)[..., None]
    y = y1[..., None] + shares_y * (y2 - y1)[..., None]
    return x, y


def positive_pairs(
    boxes: Tensor,
    size: tuple[int, int],
    threshold: float = 0.7,
    valid: tuple[Tensor | None, Tensor | None] = (None, None),
) -> Tensor:
    """Pairs of cells whose distance is below the threshold, equation 2.12.

    The distance of two centres, in pixels of the original image, is divided by the larger of the two views' bin
    diagonals, a bin being the part of the image behind a cell.

    Deviations, both as in the released code of PixPro: S1 has "at most" where here it is "below", and does not say what
    normalises the distance. The released code divides the coordinates by the image's width and height first, which
    makes the distance depend on the direction unless the image is square; here it is in pixels.

    Args:
        boxes: (B, 2, 4), float: the two views, see :func:`centres_in_image`.
        size: (H, W) of both maps.
        threshold: tau, above 0.
        valid: for each view (B, H, W), bool, where there is image behind the cell; None is everywhere.

    Returns:
        (B, H * W, H * W), bool: rows are cells of view 1, columns those of view 2, both row by row of their map.

    Raises:
        ValueError: boxes or masks of another shape.
    """
    if boxes.dim() != 3 or boxes.shape[1:] != (2, 4):
        raise ValueError(f'boxes of two views are {tuple(boxes.shape)}, expected (B, 2, 4)')
    expected = (len(boxes), *size)
    for mask in valid:
        if mask is not None and (mask.shape != expected or mask.dtype != torch.bool):
            raise ValueError(f'a mask of valid cells is {mask.dtype} {tuple(mask.shape)}, expected bool {expected}')
    boxes = boxes.to(torch.promote_types(boxes.dtype, torch.float32))
    height, width = size
    x, y = centres_in_image(boxes, size)
    sides = boxes[..., 2:] - boxes[..., :2]
    diagonals2 = (sides[..., 0] / width).square() + (sides[..., 1] / height).square()
    limit = threshold**2 * diagonals2.amax(1)
    # dx^2 + dy^2 < limit. dx depends on the columns alone and dy on the rows: no distance of all pairs is made.
    dx2 = (x[:, 0, :, None] - x[:, 1, None, :]).square()
    dy2 = (y[:, 0, :, None] - y[:, 1, None, :]).square()
    rest = limit[:, None, None] - dx2
    pairs = (dy2[:, :, None, :, None] < rest[:, None, :, None, :]).flatten(3).flatten(1, 2)
    first, second = valid
    if first is not None:
        pairs &= first.flatten(1)[:, :, None]
    if second is not None:
        pairs &= second.flatten(1)[:, None, :]
    return pairs
