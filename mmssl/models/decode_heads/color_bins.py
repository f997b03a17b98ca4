"""The colours of CIELAB in bins: which there are, which one a pixel is in, and back (S4, section 2.4.2)."""

from functools import lru_cache

import torch
from torch import Tensor

LOW, HIGH = -128, 127
"""Range of a and b in 8 bits."""
# IEC 61966-2-1 and the white point D65, as OpenCV has them
XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.950456, 1.0, 1.088754)


def srgb_to_ab(rgb: Tensor) -> Tensor:
    """Colours of sRGB values in CIELAB with the white point D65, unrounded.

    Args:
        rgb: (N, 3) in 0..255.

    Returns:
        (N, 2) float64, a and b.
    """
    value = rgb.double() / 255
    linear = torch.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = linear @ torch.tensor(XYZ, dtype=torch.float64).T / torch.tensor(WHITE, dtype=torch.float64)
    x, y, z = torch.where(xyz > (6 / 29) ** 3, xyz.clamp(min=0) ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29).T
    return torch.stack([500 * (x - y), 200 * (y - z)], dim=1)


def cube_surface(step: int = 1) -> Tensor:
    """The 8-bit sRGB values on the surface of the colour cube.

    Args:
        step: distance of two values, a divisor of 255; 1 for all.

    Returns:
        (6 * (255 / step + 1)**2, 3) int64, 0..255; edges come twice.
    """
    levels = torch.arange(0, 256, step)
    first, second = (grid.flatten() for grid in torch.meshgrid(levels, levels, indexing='ij'))
    faces = []
    for end in (0, 255):
        whole = torch.full_like(first, end)
        faces += [(whole, first, second), (first, whole, second), (first, second, whole)]
    return torch.cat([torch.stack(face, dim=1) for face in faces])


@lru_cache(maxsize=8)
def in_gamut_bins(side: float = 10.0) -> Tensor:
    """The bins of the ab plane that a colour of sRGB falls into.

    Source: R. Zhang, P. Isola and A. Efros, "Colorful Image Colorization", ECCV 2016, section 2.1: squares of side 10
    whose centres are multiples of 10. A bin holds a of (centre - side / 2, centre + side / 2], and b likewise.

    Deviations: the paper counts 313 bins in gamut and does not say which gamut; the colours of sRGB with D65 reach
    **261**. The list of its release begins with the centre (-90, 50), and no sRGB colour falls into that bin. Bins are
    those of all 8-bit colours on the surface of the RGB cube, converted in float64; the inside adds none, for a colour
    made lighter or darker with a and b held comes to the surface somewhere. The 8-bit conversion that makes the targets
    (``mmssl.ColorizationTarget``) rounds ten colours in a million onto the edge of 3 bins more; :func:`bin_table` gives
    those a neighbour that is as near. So the classes do not depend on OpenCV, and no target is further than half a side
    from its centre in a or b.

    Args:
        side: of a bin in Lab units, above 0.

    Returns:
        (K, 2) float32, centres a and b, rising by a and then by b; 261 of them for side 10. Shared between calls: not
        to be changed in place.

    Raises:
        ValueError: for a side not above 0.
    """
    if not side > 0:
        raise ValueError(f'in_gamut_bins: side={side}, expected a number above 0')
    cells = torch.ceil(srgb_to_ab(cube_surface()) / side - 0.5).long()
    # One number a cell: unique rows take six times as long.
    lowest, highest = cells[:, 1].min(), cells[:, 1].max()
    codes = torch.unique(cells[:, 0] * (highest - lowest + 1) + cells[:, 1] - lowest)
    a = codes.div(highest - lowest + 1, rounding_mode='floor')
    return torch.stack([a, codes.remainder(highest - lowest + 1) + lowest], dim=1).float() * side


def bin_table(centres: Tensor) -> Tensor:
    """The nearest bin of every colour with whole a and b.

    Args:
        centres: (K, 2) a and b in Lab units.

    Returns:
        (256, 256) int64, [a + 128, b + 128] is 0..K-1; the first of the bins that are equally near.
    """
    units = torch.arange(LOW, HIGH + 1, dtype=torch.float64)
    from_a, from_b = ((units[:, None] - centre.double()).square() for centre in centres.cpu().T)
    # Row by row: all distances at once would take 137 MB.
    return torch.stack([(row + from_b).argmin(dim=1) for row in from_a])


def nearest_bin(ab: Tensor, table: Tensor) -> Tensor:
    """Look up the bin of every pixel.

    Args:
        ab: (B, 2, H, W) whole Lab units of an integer type, in -128..127.
        table: (256, 256), as of :func:`bin_table`, on the same device.

    Returns:
        (B, H, W) int64, 0..K-1.

    Raises:
        ValueError: for another shape or a type that is not of whole numbers.
    """
    if ab.ndim != 4 or ab.shape[1] != 2 or ab.is_floating_point():
        raise ValueError(f'nearest_bin: {tuple(ab.shape)} {ab.dtype} found, expected (B, 2, H, W) of whole numbers')
    a, b = ab.long().sub_(LOW).unbind(dim=1)
    return torch.take(table, a * (HIGH - LOW + 1) + b).long()


def annealed_mean(logits: Tensor, centres: Tensor, temperature: float = 0.38) -> Tensor:
    """Turn scores of bins into one colour a pixel.

    Source: the same paper, section 2.3, equation 5: the mean of the distribution after its logarithm is divided by a
    temperature T. T = 1 is the mean; T towards 0 the likeliest bin; the paper takes 0.38.

    Args:
        logits: (B, K, H, W) before the softmax.
        centres: (K, 2) a and b in Lab units.
        temperature: T, above 0.

    Returns:
        (B, 2, H, W) float32, a and b in Lab units.

    Raises:
        ValueError: for a temperature not above 0.
    """
    if not temperature > 0:
        raise ValueError(f'annealed_mean: temperature={temperature}, expected a number above 0')
    shares = (logits.float() / temperature).softmax(dim=1)
    return torch.einsum('bkhw,kc->bchw', shares, centres.to(shares))
