"""Lightness as input, colour as target (S0, section 3.2.5)."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmssl.registry import TRANSFORMS

from .target_size import check_bgr, image_as_original


def split_lab(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split an image into lightness and colour, in CIELAB with the white point D65.

    Colours are taken as sRGB. OpenCV's 8-bit conversion rounds a and b to whole units with an error of 0.3 units on
    average, 0.25 of which is the rounding, and below 3 units; its float conversion stays below 1 and takes five times
    as long.

    Args:
        image: (H, W, 3) uint8 BGR.

    Returns:
        L (H, W) uint8, where 0..255 stands for L* 0..100; a and b (2, H, W) int8, Lab units in -128..127.
    """
    lightness, a, b = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2LAB))
    # OpenCV stores a + 128: flipping the highest bit subtracts 128 in two's complement.
    return lightness, (np.stack([a, b]) ^ np.uint8(128)).view(np.int8)


@TRANSFORMS.register_module()
class ColorizationTarget(BaseTransform):
    """Let the colour of an image be the target and its lightness, three times, the input.

    Source: S0, section 3.2.5. It stands after the augmentations, colour jitter too, for nothing that follows would
    move ``gt_ab`` with the image; :class:`PackPretextInputs` packs it. The image becomes the original image of the
    sample (:func:`image_as_original`).

    Required keys: ``img`` (H, W, 3) uint8 BGR. Replaced: ``img`` (H, W, 3) uint8, three times L, where 0..255 stands
    for L* 0..100. Added: ``gt_ab`` (2, H, W) int8, a and b of CIELAB (D65) in -128..127.

    Raises:
        ValueError: for a sample with another kind of image.
    """

    def transform(self, results: dict) -> dict:
        """Split ``results['img']``."""
        check_bgr(results, 'ColorizationTarget')
        lightness, results['gt_ab'] = split_lab(results['img'])
        results['img'] = cv2.merge([lightness] * 3)
        image_as_original(results)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
