"""Pictures of label maps: classes as colours over the photograph, ignored pixels hatched."""

from collections.abc import Sequence

import cv2
import numpy as np

INVALID_COLOUR = (255, 0, 255)
HATCH_PERIOD = 8  # pixels between two stripes


def overlay_mask(
    image: np.ndarray,
    mask: np.ndarray,
    palette: Sequence[Sequence[int]],
    *,
    ignore_index: int = 255,
    alpha: float = 0.6,
) -> np.ndarray:
    """Blends the colour of each pixel's class into an image.

    Args:
        image: (H, W, 3) uint8.
        mask: (H, W) integers; 0..K-1 are classes, ``ignore_index`` is drawn as diagonal stripes, black and white,
            over the image, and any other id, which is a fault in the data, as plain magenta.
        palette: K colours in 0..255, in the channel order of the image.
        ignore_index: id of pixels without a class.
        alpha: share of the class colour, 0 to 1.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: image and mask differ in size.
    """
    if image.shape[:2] != mask.shape:
        raise ValueError(f'overlay_mask: image {image.shape[:2]} and mask {mask.shape} found, one size expected')
    colours = np.asarray([*palette, (0, 0, 0)], dtype=np.float32)  # the last for pixels that have none
    valid = (mask >= 0) & (mask < len(palette)) & (mask != ignore_index)
    blended = (1 - alpha) * image + alpha * colours[np.where(valid, mask.astype(np.intp), -1)]
    picture = np.where(valid[..., None], np.rint(blended), image).astype(np.uint8)
    ignored = mask == ignore_index
    rows, columns = np.indices(mask.shape)
    stripe = (rows + columns) % HATCH_PERIOD
    picture[ignored & (stripe < 2)] = 0
    picture[ignored & (stripe == 2)] = 255
    picture[~valid & ~ignored] = INVALID_COLOUR
    return picture


def fit_mask(mask: np.ndarray, size: tuple[int, int], padding: Sequence[int], fill: int = 255) -> np.ndarray:
    """Brings the mask of a file to the input of the network, which was resized and padded in testing.

    Args:
        mask: (H, W) integers.
        size: height and width of the network's input.
        padding: pixels that were added left, right, top and bottom.
        fill: id for the padding.

    Returns:
        ``size``-shaped uint8, nearest neighbours.
    """
    left, right, top, bottom = padding
    inner = (size[1] - left - right, size[0] - top - bottom)
    resized = cv2.resize(mask.astype(np.uint8), inner, interpolation=cv2.INTER_NEAREST)
    return np.pad(resized, ((top, bottom), (left, right)), constant_values=fill)


def distinct_palette(count: int) -> list[list[int]]:
    """Makes colours for classes that come without a palette: hues a golden angle apart, RGB in 0..255."""
    hue = (np.arange(count) * 0.61803398875) % 1.0 * 6
    value = np.where(np.arange(count) % 2, 170, 240)
    offsets = np.array([5, 3, 1])
    distance = (offsets + hue[:, None]) % 6
    colours = value[:, None] * (1 - 0.8 * np.clip(np.minimum(distance, 4 - distance), 0, 1))
    return np.rint(colours).astype(int).tolist()


def count_ids(mask: np.ndarray, num_classes: int, ignore_index: int = 255) -> np.ndarray:
    """Counts the pixels of a label map.

    Args:
        mask: integers of any shape.
        num_classes: K.
        ignore_index: id of pixels without a class.

    Returns:
        (K + 2,) int64: the classes, then ignored pixels, then pixels of any other id.
    """
    ids = mask.astype(np.int64).ravel()
    ignored = ids == ignore_index
    valid = (ids >= 0) & (ids < num_classes) & ~ignored
    counts = np.bincount(ids[valid], minlength=num_classes)
    return np.concatenate([counts, [ignored.sum(), ids.size - valid.sum() - ignored.sum()]])
