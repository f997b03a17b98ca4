"""Random resized crops and where they lie in the image."""

import math

import numpy as np

MAX_ATTEMPTS = 10


def draw_crop(
    height: int, width: int, crop_ratio_range: tuple[float, float], aspect_ratio_range: tuple[float, float]
) -> tuple[int, int, int, int]:
    """Draw a box of whole pixels: area uniform, aspect ratio log-uniform, position uniform.

    As torchvision's ``RandomResizedCrop``: a box that is larger than the image is drawn again, and after 10 of them
    it is the central one of the nearest aspect ratio. Draws come from numpy's global generator.

    Args:
        height: of the image, in pixels.
        width: of the image, in pixels.
        crop_ratio_range: area of the box, as a share of the image, in (0, 1].
        aspect_ratio_range: width / height of the box.

    Returns:
        Left, top, right and bottom edge in pixels, 0 to width and 0 to height.
    """
    low, high = np.log(aspect_ratio_range)
    for _ in range(MAX_ATTEMPTS):
        area = height * width * np.random.uniform(*crop_ratio_range)
        aspect = math.exp(np.random.uniform(low, high))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left, top = np.random.randint(width - w + 1), np.random.randint(height - h + 1)
            return left, top, left + w, top + h
    narrowest, widest = aspect_ratio_range
    w, h = min(width, round(height * widest)), min(height, round(width / narrowest))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def view_box(crop: tuple[int, int, int, int], flipped: bool) -> tuple[int, int, int, int]:
    """Box of a view in the image: x1, y1 is where its upper left corner lies, so that x1 > x2 once it is flipped."""
    left, top, right, bottom = crop
    return (right, top, left, bottom) if flipped else crop
