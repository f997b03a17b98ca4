"""How images were mixed, what the student is asked for, and what it predicts."""

from collections.abc import Sequence

import cv2
import numpy as np

from .contact_sheet import LINE, MARGIN, PAPER, legend, write_text
from .mask_picture import overlay_mask

GAP = 4  # pixels between two panels


def mix_picture(
    first: np.ndarray,
    second: np.ndarray,
    mask: np.ndarray,
    mixed: np.ndarray,
    target: np.ndarray,
    prediction: np.ndarray,
    *,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    names: tuple[str, str] = ('image A', 'image B'),
    ignore_index: int = 255,
    height: int = 240,
    heading: str = '',
) -> np.ndarray:
    """Draw a row an image: A, B, the mask, the mixed image, its target and the student's prediction of it.

    Args:
        first: (B, H, W, 3) uint8 RGB, what is pasted where the mask is True.
        second: (B, H, W, 3) uint8 RGB, what it is pasted on.
        mask: (B, H, W) bool, drawn white where True.
        mixed: (B, H, W, 3) uint8 RGB.
        target: (B, H, W) integers, ids of classes, or ``ignore_index``, which is drawn black with stripes.
        prediction: (B, H, W) integers, ids of classes.
        classes: K names, for the legend, which shows those that occur.
        palette: K colours, RGB in 0..255.
        names: captions of the first two columns.
        ignore_index: id of pixels without a class.
        height: of a panel in pixels.
        heading: line at the top, none if empty.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: the arrays are not of one number of images and one size, or there is none.
    """
    shapes = {array.shape[:3] for array in (first, second, mask, mixed, target, prediction)}
    if len(shapes) != 1 or not len(first):
        raise ValueError(f'mix_picture: arrays of {sorted(shapes)} found, one (B, H, W) with B of at least 1 expected')
    width = max(1, round(height * first.shape[2] / first.shape[1]))
    captions = (*names, f'mask (white: {names[0]})', 'mixed image', 'target', 'prediction of the student')
    parts = [_line([write_text(caption, width) for caption in captions])]
    if heading:
        parts.insert(0, write_text(heading, parts[0].shape[1]))
    for index in range(len(first)):
        photographs = [_fit(image[index], height, width) for image in (first, second, mixed)]
        black = np.zeros_like(photographs[0])
        labels = [_fit(array[index].astype(np.int32), height, width) for array in (target, prediction)]
        coloured = [overlay_mask(black, each, palette, ignore_index=ignore_index, alpha=1.0) for each in labels]
        white = _fit(mask[index].astype(np.uint8) * 255, height, width)[..., None].repeat(3, axis=2)
        parts += [_line([*photographs[:2], white, photographs[2], *coloured]), _gap(parts[0].shape[1])]
    parts.append(legend(_entries(target, prediction, classes, palette, ignore_index), parts[0].shape[1]))
    return np.pad(np.vstack(parts), ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=PAPER)


def _entries(target, prediction, classes, palette, ignore_index: int) -> list[tuple[str, np.ndarray]]:
    """Name and swatch of what occurs."""
    ids = np.union1d(target, prediction).tolist()
    names = {**dict(enumerate(classes)), ignore_index: 'ignored'}
    black = np.zeros((LINE, LINE, 3), dtype=np.uint8)
    return [
        (
            names.get(each, f'no class: {each}'),
            overlay_mask(black, np.full((LINE, LINE), each), palette, ignore_index=ignore_index, alpha=1.0),
        )
        for each in ids
    ]


def _fit(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Photographs are averaged or interpolated, label maps are not."""
    if picture.ndim == 2:
        method = cv2.INTER_NEAREST
    else:
        method = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=method)


def _line(panels: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((panels[0].shape[0], GAP, 3), PAPER, dtype=np.uint8)
    return np.hstack([part for panel in panels for part in (gap, panel)][1:])


def _gap(width: int) -> np.ndarray:
    return np.full((GAP, width, 3), PAPER, dtype=np.uint8)
