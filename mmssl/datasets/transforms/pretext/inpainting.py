"""An image with a square erased as input, the whole image as target (S4, section 2.3.1)."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmssl.registry import TRANSFORMS

from .number_range import as_range
from .sample_generator import check_seed, sample_generator
from .target_size import check_bgr, image_as_original

FILLS = {'mean': (104, 116, 124), 'black': (0, 0, 0), 'noise': None}
"""Colours in BGR. The mean is ImageNet's, 103.53, 116.28 and 123.675, rounded: what the preprocessor makes 0 of."""


def draw_square(
    height: int, width: int, side: tuple[float, float], generator: np.random.Generator
) -> tuple[int, int, int]:
    """Draw a square inside an image: its side uniformly from a range, then its place uniformly.

    Args:
        height: of the image in pixels.
        width: of the image in pixels.
        side: lowest and highest side, both included; two whole numbers are pixels, anything else shares of the shorter
            side of the image, rounded to whole pixels, at least 1.
        generator: numpy's generator.

    Returns:
        Its first row and first column and its side, pixels.

    Raises:
        ValueError: a square of the highest side does not fit into the image.
    """
    shorter, (low, high) = min(height, width), side
    if isinstance(low, int) and isinstance(high, int):
        if high > shorter:
            raise ValueError(
                f'a square of {high} pixels found in an image of {height}x{width}, expected at most {shorter}'
            )
        drawn = int(generator.integers(low, high + 1))
    else:
        if high > 1:
            raise ValueError(f'a square of {high} of the shorter side found, expected at most 1.0')
        drawn = max(1, round(shorter * float(generator.uniform(low, high))))
    top, left = generator.integers((height - drawn + 1, width - drawn + 1))
    return int(top), int(left), drawn


def erase_square(
    image: np.ndarray, square: tuple[int, int, int], fill: np.ndarray | Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Replace a square of an image.

    Args:
        image: (H, W, 3) uint8, left as it is.
        square: first row, first column and side, as of :func:`draw_square`.
        fill: a colour (3,), or a picture (side, side, 3), in the range and order of the image.

    Returns:
        The image with the square, (H, W, 3) uint8, and where it is, (1, H, W) bool.
    """
    top, left, side = square
    rows, columns = slice(top, top + side), slice(left, left + side)
    erased = image.copy()
    erased[rows, columns] = np.asarray(fill, dtype=np.uint8)
    mask = np.zeros((1, *image.shape[:2]), dtype=bool)
    mask[:, rows, columns] = True
    return erased, mask


@TRANSFORMS.register_module()
class InpaintingTarget(BaseTransform):
    """Erase a square of an image; the image as it was is the target.

    Source: S4, section 2.3.1: "the image from which we erase a square", compared with the whole image. It stands after
    the augmentations, for nothing that follows would move ``gt_image`` with the image; :class:`PackPretextInputs` packs
    both targets. The image becomes the original image of the sample (:func:`image_as_original`).

    Deviations: the report names neither the size of the square nor what stands in it. A quarter to a half of the
    shorter side is the range here (the half is the central square of D. Pathak et al., "Context Encoders", CVPR 2016),
    and the mean colour of ImageNet, which is 0 for a network whose input is normalised by it.

    Required keys: ``img`` (H, W, 3) uint8 BGR. Replaced: ``img``, the same with the square. Added: ``gt_image``
    (3, H, W) uint8 BGR, the image as it was; ``gt_erased`` (1, H, W) bool, True in the square.

    Args:
        side: of the square: a whole number of pixels from 1, or a share of the shorter side of the image in (0, 1]; a
            pair (lowest, highest) is drawn from uniformly, both ends included. The types decide: 1 is a pixel, 1.0 the
            shorter side.
        fill: ``'mean'``, ImageNet's mean colour, (104, 116, 124) in BGR; ``'black'``; ``'noise'``, every value uniform
            in 0..255; or a colour of three whole numbers 0..255 in BGR.
        seed: None draws anew each time; a number erases the same square of an image at every epoch
            (:func:`sample_generator`).

    Raises:
        ValueError: another side, fill or seed; from ``transform``, a square that does not fit into the image, or
            another kind of image.
    """

    def __init__(
        self,
        *,
        side: float | Sequence[float] = (0.25, 0.5),
        fill: str | Sequence[int] = 'mean',
        seed: int | None = None,
    ) -> None:
        self.side = as_range(side, 'side', 'InpaintingTarget')
        low, high = self.side
        pixels = isinstance(low, int) and isinstance(high, int)
        if not (low >= 1 if pixels else 0 < low <= high <= 1):
            raise ValueError(
                f'InpaintingTarget: side={side!r}, expected whole pixels from 1, or shares above 0, at most 1.0'
            )
        self.fill = fill
        self.colour = FILLS.get(fill, ()) if isinstance(fill, str) else tuple(fill)
        known = self.colour is None or len(self.colour) == 3
        if not known or not all(isinstance(v, int) and 0 <= v <= 255 for v in self.colour or ()):
            raise ValueError(
                f'InpaintingTarget: fill={fill!r}, expected one of {list(FILLS)} or three whole numbers 0 to 255 in BGR'
            )
        self.seed = check_seed(seed, 'InpaintingTarget')

    def transform(self, results: dict) -> dict:
        """Erase a square of ``results['img']``."""
        check_bgr(results, 'InpaintingTarget')
        image, generator = results['img'], sample_generator(self.seed, results)
        try:
            square = draw_square(*image.shape[:2], self.side, generator)
        except ValueError as error:
            raise ValueError(f'{results.get("img_path")}: InpaintingTarget: {error}') from None
        side, fill = square[2], self.colour
        if fill is None:
            fill = generator.integers(256, size=(side, side, 3), dtype=np.uint8)
        results['img'], results['gt_erased'] = erase_square(image, square, fill)
        results['gt_image'] = np.ascontiguousarray(image.transpose(2, 0, 1))
        image_as_original(results)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(side={self.side}, fill={self.fill!r}, seed={self.seed})'
