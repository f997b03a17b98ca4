"""Checks of a segmentation mask before it is trusted as class ids. Pure functions on arrays."""

from collections.abc import Mapping

import cv2
import numpy as np

from mmssl.errors import DataError

IGNORED = 255
"""The value that losses and metrics of the hosts leave out."""


def mask_to_uint8(mask: np.ndarray, path: str) -> np.ndarray:
    """Turn a decoded mask into class ids of 8 bits without losing any.

    Args:
        mask (np.ndarray): Decoded file, (H, W) or (H, W, C), any integer or bool type. Three or four channels are
            accepted when the first three are equal (a grey mask that was stored as RGB).
        path (str): The file, for the error.

    Returns:
        np.ndarray: (H, W), uint8.

    Raises:
        DataError: The mask is in colour, has another number of channels, is not of integers, or holds an id outside
            0..255, which 8 bits would wrap around to a valid class.
    """
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[..., 0]
    if mask.ndim == 3 and mask.shape[2] in (3, 4):
        first = mask[..., 0]
        if not (np.array_equal(first, mask[..., 1]) and np.array_equal(first, mask[..., 2])):
            raise DataError(f'{path}: the mask is in colour; expected one channel that holds class ids')
        mask = first
    if mask.ndim != 2:
        shape = 'x'.join(map(str, mask.shape))
        raise DataError(f'{path}: the mask decodes to {shape} values; expected one channel that holds class ids')
    if mask.dtype == np.uint8:
        return mask
    if mask.dtype.kind not in 'bui':
        raise DataError(f'{path}: the mask holds {mask.dtype} values; expected integer class ids')
    if mask.size and mask.dtype.kind != 'b':
        low, high = int(mask.min()), int(mask.max())
        if low < 0 or high > 255:
            bits = 8 * mask.dtype.itemsize
            raise DataError(f'{path}: the mask has {bits} bits and ids from {low} to {high}; expected ids in 0..255')
    return mask.astype(np.uint8)


def check_same_size(mask: tuple[int, int], image: tuple[int, int], path: str, image_path: str) -> None:
    """Raise unless a mask has the size of its image.

    Args:
        mask (tuple[int, int]): Height and width of the mask in pixels.
        image (tuple[int, int]): Height and width of the image file in pixels.
        path (str): File of the mask, for the error.
        image_path (str): File of the image, for the error.

    Raises:
        DataError: The sizes differ.
    """
    if tuple(mask) != tuple(image):
        raise DataError(
            f'{path}: the mask has {mask[0]}x{mask[1]} pixels (height x width), its image {image_path} has '
            f'{image[0]}x{image[1]}'
        )


def id_table(
    num_classes: int | None = None,
    label_map: Mapping[int, int] | None = None,
    reduce_zero_label: bool = False,
    ignore_index: int = IGNORED,
) -> tuple[np.ndarray, np.ndarray]:
    """What becomes of each id that a mask file may hold.

    The order is mmseg's: first ``reduce_zero_label`` (0 becomes ignored, every other id decreases by one), then
    ``label_map``. Ids that are allowed in the file are the keys of the label map or, without one, the classes.

    Args:
        num_classes (int, optional): Number of classes; may be left out when there is a label map.
        label_map (Mapping[int, int], optional): Id in the file (after reduction) to class id or 255.
        reduce_zero_label (bool): Whether id 0 in the file is the background to ignore.
        ignore_index (int): The id that stands for ignored pixels in the file; it becomes 255.

    Returns:
        tuple[np.ndarray, np.ndarray]: ``table`` (256,) uint8, the class id or 255 for each id in the file, and
        ``allowed`` (256,) bool.

    Raises:
        ValueError: Neither the number of classes nor a label map is given, or a number is out of range.
    """
    if num_classes is None and label_map is None:
        raise ValueError('num_classes is not known: set LoadSegAnnotations(num_classes=...) or use a dataset of mmssl')
    if num_classes is not None and not 1 <= num_classes <= 255:
        raise ValueError(f'num_classes={num_classes}; expected 1..255, masks have 8 bits and 255 is ignored')
    for name, value in [
        ('ignore_index', ignore_index),
        *(('label_map', v) for kv in (label_map or {}).items() for v in kv),
    ]:
        if not 0 <= value <= 255:
            raise ValueError(f'{name} holds {value}; expected ids in 0..255')

    mapping = dict(label_map) if label_map is not None else {i: i for i in range(num_classes)}
    if num_classes is not None:
        outside = sorted({new for new in mapping.values() if new != IGNORED and new >= num_classes})
        if outside:
            raise ValueError(f'label_map maps to {outside}; expected 0..{num_classes - 1} or {IGNORED}')
    table = np.full(256, IGNORED, dtype=np.uint8)
    allowed = np.zeros(256, dtype=bool)
    for old, new in mapping.items():
        in_file = old + 1 if reduce_zero_label else old
        if in_file > 255:
            continue
        table[in_file], allowed[in_file] = new, True
    for ignored in (ignore_index, IGNORED, *([0] if reduce_zero_label else [])):
        table[ignored], allowed[ignored] = IGNORED, True
    return table, allowed


def check_ids(mask: np.ndarray, allowed: np.ndarray, path: str) -> None:
    """Raise unless every id of a mask is allowed.

    Args:
        mask (np.ndarray): (H, W), uint8, as in the file.
        allowed (np.ndarray): (256,), bool.
        path (str): File of the mask, for the error.

    Raises:
        DataError: The mask holds ids that are not allowed.
    """
    # Mostly the allowed ids are 0..n-1 and 255. Increased by one, 255 wraps around to 0 and a maximum tells all.
    if allowed[255] and int((mask + np.uint8(1)).max(initial=0)) <= int(np.argmin(allowed)):
        return
    if not cv2.countNonZero(cv2.LUT(mask, (~allowed).astype(np.uint8))):
        return
    present = np.unique(mask)
    found = [int(i) for i in present[~allowed[present]]]
    raise DataError(f'{path}: the mask holds the ids {_ranges(found)}; expected {_ranges(np.flatnonzero(allowed))}')


def _ranges(ids) -> str:
    """Sorted ids as text: 0..10, 255."""
    ids = np.asarray(ids)
    runs = np.split(ids, np.flatnonzero(np.diff(ids) != 1) + 1)
    return ', '.join(str(run[0]) if len(run) == 1 else f'{run[0]}..{run[-1]}' for run in runs)
