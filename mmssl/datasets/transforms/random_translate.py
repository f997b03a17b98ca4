"""Shift images by a few pixels."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmssl.registry import TRANSFORMS

BORDERS = {'replicate': cv2.BORDER_REPLICATE, 'reflect': cv2.BORDER_REFLECT_101}

# What comes into a map: instance 0 is none; class maps and all others take the ignored class.
IGNORED = 255
OUTSIDE = {'gt_instance_map': 0}


def translate(image: np.ndarray, right: int, down: int, border: int, value: int = 0) -> np.ndarray:
    """Shift an image by whole pixels and keep its size.

    Args:
        image: (H, W) or (H, W, C).
        right: columns, negative to the left; smaller than W in magnitude.
        down: rows, negative upwards; smaller than H in magnitude.
        border: OpenCV's border mode for what comes in.
        value: of every channel of what comes in, with ``cv2.BORDER_CONSTANT``.

    Returns:
        The shifted image, of the same shape and dtype.
    """
    height, width = image.shape[:2]
    up, left = max(-down, 0), max(-right, 0)
    # Border first: what is mirrored in may stand among the pixels that are cut off.
    padded = cv2.copyMakeBorder(image, max(down, 0), up, max(right, 0), left, border, value=(value,) * 4)
    return np.ascontiguousarray(padded[up : up + height, left : left + width])


@TRANSFORMS.register_module()
class RandomTranslate(BaseTransform):
    """Shift the image, and its maps where it has some, by a random number of whole pixels.

    Source: S0, sections 3.2.2 to 3.2.6 ("random translation"; "objects that move slightly", section 5.1). The thesis
    names no distance; ERFNet's release shifts by up to 2 pixels. What comes in repeats the border instead of being
    black, for a black edge would tell a pretext task which way the image was turned.

    Required keys: ``img``. ``gt_seg_map`` and the other ``seg_fields`` are shifted too; 255 comes in, and 0 into
    ``gt_instance_map``.

    Args:
        max_shift: largest distance in pixels, each way, in x and in y or as a pair (x, y).
        border: ``'replicate'`` or ``'reflect'`` (without repeating the edge), or the grey value 0 to 255 that comes in.

    Raises:
        ValueError: a negative distance or another border; from ``transform``, an image that is not larger than the
            distance, or boxes in the sample, which stay where they are.
    """

    def __init__(self, *, max_shift: int | Sequence[int] = 2, border: str | int = 'replicate') -> None:
        shifts = (max_shift, max_shift) if isinstance(max_shift, int) else tuple(max_shift)
        if len(shifts) != 2 or not all(isinstance(shift, int) and shift >= 0 for shift in shifts):
            raise ValueError(f'RandomTranslate: max_shift is {max_shift}, expected 0 or more pixels, or a pair (x, y)')
        if border not in BORDERS and not (isinstance(border, int) and 0 <= border <= 255):
            raise ValueError(f'RandomTranslate: border is {border!r}, expected {list(BORDERS)} or a value 0 to 255')
        self.max_shift = shifts
        self.border = border

    @cache_randomness
    def draw(self) -> tuple[int, int]:
        """Columns to the right and rows down."""
        largest = np.array(self.max_shift)
        right, down = np.random.randint(-largest, largest + 1)
        return int(right), int(down)

    def transform(self, results: dict) -> dict:
        """Shift ``results['img']`` and its maps."""
        image = results['img']
        if 'gt_bboxes' in results:
            raise ValueError(f'{results.get("img_path")}: RandomTranslate found gt_bboxes, expected a sample without')
        if image.shape[1] <= self.max_shift[0] or image.shape[0] <= self.max_shift[1]:
            raise ValueError(
                f'{results.get("img_path")}: RandomTranslate found an image of {image.shape[0]}x{image.shape[1]}, '
                f'expected more than max_shift={self.max_shift} (x, y) pixels'
            )
        shift = self.draw()
        constant = isinstance(self.border, int)
        mode = cv2.BORDER_CONSTANT if constant else BORDERS[self.border]
        results['img'] = translate(image, *shift, mode, self.border if constant else 0)
        for key in {'gt_seg_map', *results.get('seg_fields', ())} & set(results):
            results[key] = translate(results[key], *shift, cv2.BORDER_CONSTANT, OUTSIDE.get(key, IGNORED))
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_shift={self.max_shift}, border={self.border!r})'
