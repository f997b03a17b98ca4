"""Maps of an affine view, back where they were before the warp (S1, section 3.3)."""

import torch
import torch.nn.functional as F
from torch import Tensor

# In halves of a side. Rounding must not decide about cells whose centre is on the edge of the frame, such as after a
# shift by half a cell.
SLACK = 1e-4


def invert_affine(affine: Tensor) -> Tensor:
    """The inverse of affine maps, in closed form: ``torch.linalg.inv`` would wait for the device.

    Args:
        affine: (B, 2, 3), float; their 2x2 parts have an inverse.

    Returns:
        (B, 2, 3).
    """
    (a, b, x), (c, d, y) = (row.unbind(-1) for row in affine.unbind(-2))
    inverse = torch.stack([d, -b, b * y - d * x, -c, a, c * x - a * y], dim=-1) / (a * d - b * c)[:, None]
    return inverse.unflatten(-1, (2, 3))


def cell_centres(size: int, like: Tensor) -> Tensor:
    """Centres of ``size`` cells between -1 and 1: (size,), type and device of ``like``."""
    return (torch.arange(size, dtype=like.dtype, device=like.device) * 2 + 1) / size - 1


def warp_back(features: Tensor, affine: Tensor) -> tuple[Tensor, Tensor]:
    """Undo the warp of a view on the map that a network made of it, bilinearly.

    Source: S1, section 3.3, "the outputted feature map for the affine transformed view is inverse transformed". A cell
    of the result lies at the place q of the view before the warp, the warped view shows it at A^-1 q, and the features
    are read there. Cells are valid where that place is inside the frame of the warped view, edges included; black parts
    of the warped view are never read, for what is there comes from no q. Within half a cell of the edge of the frame,
    where there is no second cell to interpolate with, the outermost cell is taken, so features do not fade to 0.

    Geometry is float32, or the wider type of the features, under autocast too.

    Args:
        features: (B, C, H, W), float, of the warped views.
        affine: (B, 2, 3), float, coordinates of the warped view to those before, normalised as in
            ``torch.nn.functional.affine_grid(align_corners=False)``.

    Returns:
        Features (B, C, H, W) of the views before the warp, type of the features, 0 in cells that are not valid; mask
        (B, H, W), bool, the valid cells.

    Raises:
        ValueError: maps and affine maps whose shapes do not fit.
    """
    if features.dim() != 4 or affine.shape != (len(features), 2, 3):
        raise ValueError(
            f'features are {tuple(features.shape)}, affine maps {tuple(affine.shape)}: expected (B, C, H, W), (B, 2, 3)'
        )
    wide = torch.promote_types(features.dtype, torch.float32)
    inverse = invert_affine(affine.to(wide))
    y, x = (cell_centres(size, inverse) for size in features.shape[2:])
    # Not affine_grid: its matrix product may be done in TF32 or half precision.
    linear, shift = inverse[:, None, None, :, :2], inverse[:, None, None, :, 2]
    grid = linear[..., 0] * x[:, None] + linear[..., 1] * y[:, None, None] + shift
    mask = (grid.abs() <= 1 + SLACK).all(dim=-1)
    # Autocast leaves grid_sample in the wider type of its arguments.
    warped = F.grid_sample(features.to(wide), grid, mode='bilinear', padding_mode='border', align_corners=False)
    return torch.where(mask[:, None], warped, 0).to(features.dtype), mask
