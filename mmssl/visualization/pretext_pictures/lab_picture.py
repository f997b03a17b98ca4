"""CIELAB back to RGB."""

import cv2
import numpy as np


def lab_to_rgb(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Join lightness and colour, in CIELAB with the white point D65, to an sRGB picture.

    Colours that a screen cannot show, which a network may predict, are clipped channel by channel.

    Args:
        lightness: (H, W) uint8, where 0..255 stands for L* 0..100, as OpenCV's 8-bit conversion gives it.
        ab: (2, H, W) a and b in Lab units, any type; values outside -128..127 are clipped.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: sizes that differ, or values that are not finite.
    """
    if ab.shape != (2, *lightness.shape):
        raise ValueError(f'lab_to_rgb: L {lightness.shape} and ab {ab.shape} found, (H, W) and (2, H, W) expected')
    if not np.isfinite(ab).all():
        raise ValueError('lab_to_rgb: a or b that is not finite found, numbers expected')
    scaled = lightness.astype(np.float32) * (100 / 255)
    a, b = np.clip(ab.astype(np.float32), -128, 127)
    rgb = cv2.cvtColor(np.dstack([scaled, a, b]), cv2.COLOR_LAB2RGB)
    return np.rint(255 * np.clip(rgb, 0, 1)).astype(np.uint8)
