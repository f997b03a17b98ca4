"""Colour jitter of 8-bit images."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmssl.registry import TRANSFORMS

from .pretext.target_size import check_bgr

LEVELS = np.arange(256, dtype=np.float32)
# Strips of an image this large stay in the processor's cache as floats: twice as fast at 512x1024.
STRIP_PIXELS = 2**15


def _scale_levels(image: np.ndarray, factor: float, offset: float = 0) -> np.ndarray:
    table = np.clip(LEVELS * factor + offset, 0, 255).astype(np.uint8)
    return cv2.LUT(image, table)


def adjust_brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Every value times ``factor``, cut at 255; image (H, W, 3) uint8 BGR, as the result."""
    return _scale_levels(image, factor)


def adjust_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the mean grey value of the image: 0 gives that grey, 1 the image, more exaggerates."""
    mean = round(cv2.mean(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[0])
    return _scale_levels(image, factor, (1 - factor) * mean)


def adjust_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the grey image: 0 gives grey, 1 the image, more exaggerates."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(image, factor, grey, 1 - factor, 0)


def adjust_hue(image: np.ndarray, shift: float) -> np.ndarray:
    """Turn the colour circle by ``shift`` turns, -0.5 to 0.5; (H, W, 3) uint8 BGR, as the result."""
    # OpenCV's 8-bit hue counts pairs of degrees, errors of up to 7 levels; float has 1.
    turn = (360 * (shift % 1), 0, 0, 0)
    turned = np.empty_like(image)
    rows = max(1, STRIP_PIXELS // image.shape[1])
    for top in range(0, len(image), rows):
        hsv = cv2.cvtColor(image[top : top + rows].astype(np.float32), cv2.COLOR_BGR2HSV)
        turned[top : top + rows] = cv2.convertScaleAbs(cv2.cvtColor(cv2.add(hsv, turn), cv2.COLOR_HSV2BGR))
    return turned


ADJUSTMENTS = {
    'brightness': adjust_brightness,
    'contrast': adjust_contrast,
    'saturation': adjust_saturation,
    'hue': adjust_hue,
}


def _range_of(name: str, value: float | Sequence[float]) -> tuple[float, float]:
    """The interval to draw from: 1 - x to 1 + x, for hue -x to x; a pair is taken as it is."""
    low, high = (-0.5, 0.5) if name == 'hue' else (0.0, float('inf'))
    if isinstance(value, Sequence):
        interval = tuple(value)
    else:
        centre = 0.0 if name == 'hue' else 1.0
        interval = (max(centre - value, low) if name != 'hue' else -value, centre + value)
    if len(interval) != 2 or not low <= interval[0] <= interval[1] <= high:
        raise ValueError(f'RandomColorJitter: {name} is {value}, expected a number or a pair within [{low}, {high}]')
    return interval


@TRANSFORMS.register_module()
class RandomColorJitter(BaseTransform):
    """Change brightness, contrast, saturation and hue by random amounts, in random order.

    The definitions are torchvision's, within 2 grey levels of its results. Replaces mmpretrain's ``ColorJitter``,
    which raises on numpy 2 for negative hue shifts (1.2.0). Draws come from numpy's global generator.

    Required keys: ``img`` (H, W, 3) uint8 BGR. Modified: ``img``.

    Args:
        brightness: x draws the factor from [max(0, 1 - x), 1 + x]; or the interval itself.
        contrast: as brightness.
        saturation: as brightness.
        hue: x draws the shift, in turns of the colour circle, from [-x, x], x at most 0.5; or the interval itself.
        prob: share of the images that are changed at all, in [0, 1].

    Raises:
        ValueError: a factor below 0, a hue beyond half a turn, a probability outside [0, 1]; from ``transform``, an
            image of another kind.
    """

    def __init__(
        self,
        *,
        brightness: float | Sequence[float] = 0.0,
        contrast: float | Sequence[float] = 0.0,
        saturation: float | Sequence[float] = 0.0,
        hue: float | Sequence[float] = 0.0,
        prob: float = 1.0,
    ) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'RandomColorJitter: prob is {prob}, expected 0 to 1')
        amounts = {'brightness': brightness, 'contrast': contrast, 'saturation': saturation, 'hue': hue}
        self.ranges = {name: _range_of(name, value) for name, value in amounts.items()}
        self.prob = prob

    @cache_randomness
    def draw(self) -> list[tuple[str, float]]:
        """What to change and by how much, in order; empty for an image that stays."""
        if np.random.rand() >= self.prob:
            return []
        amounts = {name: float(np.random.uniform(*interval)) for name, interval in self.ranges.items()}
        names = [name for name, interval in self.ranges.items() if interval not in ((1.0, 1.0), (0.0, 0.0))]
        return [(names[i], amounts[names[i]]) for i in np.random.permutation(len(names))]

    def transform(self, results: dict) -> dict:
        """Change ``results['img']``."""
        check_bgr(results, 'RandomColorJitter')
        for name, amount in self.draw():
            results['img'] = ADJUSTMENTS[name](results['img'], amount)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.ranges}, prob={self.prob})'
