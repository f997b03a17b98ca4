"""Photograph, truth and prediction side by side."""

from collections.abc import Sequence

import cv2
import numpy as np

from .contact_sheet import LINE, legend, write_text
from .mask_picture import overlay_mask

GAP = 4  # pixels of white between the panels


def prediction_picture(
    image: np.ndarray,
    truth: np.ndarray | None,
    prediction: np.ndarray,
    palette: Sequence[Sequence[int]],
    *,
    ignore_index: int = 255,
    alpha: float = 0.7,
) -> np.ndarray:
    """Place an image, its mask and the predicted mask in a row; the masks are blended over the image.

    Args:
        image: (H, W, 3) uint8; resized to the prediction where the sizes differ.
        truth: (h, w) integers, ids of classes or ``ignore_index``; None leaves the panel out.
        prediction: (h, w) integers.
        palette: K colours in 0..255, in the channel order of the image.
        ignore_index: id of pixels without a class, drawn as stripes.
        alpha: share of the class colour, 0 to 1.

    Returns:
        (h, about 3w, 3) uint8.
    """
    height, width = prediction.shape
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    masks = [prediction] if truth is None else [truth, prediction]
    panels = [image, *(overlay_mask(image, mask, palette, ignore_index=ignore_index, alpha=alpha) for mask in masks)]
    gap = np.full((height, GAP, 3), 255, dtype=np.uint8)
    return np.hstack([part for panel in panels for part in (gap, panel)][1:])


def prediction_sheet(
    pictures: Sequence[np.ndarray], classes: Sequence[str], palette: Sequence[Sequence[int]]
) -> np.ndarray:
    """Stack pictures of one width below a title line and above a legend of the classes.

    Args:
        pictures: of ``prediction_picture``, with truth, (h, w, 3) uint8.
        classes: K names.
        palette: K colours in the channel order of the pictures.

    Returns:
        (H, w, 3) uint8.

    Raises:
        ValueError: no pictures, or pictures of different widths.
    """
    widths = {picture.shape[1] for picture in pictures}
    if len(widths) != 1:
        raise ValueError(f'prediction_sheet: pictures of widths {sorted(widths)} found, one width expected')
    (width,) = widths
    panel = (width - 2 * GAP) // 3
    titles = [write_text(title, panel + GAP) for title in ('photograph', 'truth', 'prediction')]
    title = np.full((LINE, width, 3), 255, dtype=np.uint8)
    line = np.hstack(titles)[:, :width]
    title[:, : line.shape[1]] = line
    gap = np.full((GAP, width, 3), 255, dtype=np.uint8)
    swatches = [np.full((LINE, LINE, 3), colour, dtype=np.uint8) for colour in palette]
    rows = [part for picture in pictures for part in (picture, gap)]
    return np.vstack([title, *rows, legend(list(zip(classes, swatches, strict=True)), width)])
