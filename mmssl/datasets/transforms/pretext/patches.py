"""Patches out of the cells of a grid, for tasks that ask where they were (S0, sections 3.2.3 and 3.2.4)."""

from collections.abc import Sequence

import cv2
import numpy as np

CELLS_PER_SIDE = 3


def resize_square(image: np.ndarray, size: int) -> np.ndarray:
    """Resize an image to a square: averages where it shrinks on both sides, bilinear otherwise.

    Args:
        image: (H, W, 3) uint8.
        size: side of the square in pixels.

    Returns:
        (size, size, 3) uint8; the image itself where it has that size.
    """
    height, width = image.shape[:2]
    if height == width == size:
        return image
    shrinks = min(height, width) >= size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def draw_offsets(cell_size: int, patch_size: int, generator: np.random.Generator) -> np.ndarray:
    """Draw where in its cell each patch begins, uniformly.

    Args:
        cell_size: side of a cell in pixels.
        patch_size: side of a patch in pixels, at most ``cell_size``.
        generator: numpy's generator.

    Returns:
        (9, 2) int64, row and column from the cell's upper left corner, 0 to ``cell_size - patch_size``.
    """
    return generator.integers(cell_size - patch_size + 1, size=(CELLS_PER_SIDE**2, 2))


def cut_patches(image: np.ndarray, offsets: np.ndarray, patch_size: int, cells: Sequence[int]) -> list[np.ndarray]:
    """Cut patches out of the cells of a 3x3 grid.

    Args:
        image: (S, S, 3) with S divisible by 3.
        offsets: (9, 2), as of :func:`draw_offsets`, of all cells in row-major order.
        patch_size: side of a patch in pixels.
        cells: numbers 0 to 8 of the cells to cut, row-major.

    Returns:
        One view (patch_size, patch_size, 3) of the image for each of ``cells``, in that order.
    """
    cell_size = image.shape[0] // CELLS_PER_SIDE
    patches = []
    for cell in cells:
        row, column = np.array(divmod(cell, CELLS_PER_SIDE)) * cell_size + offsets[cell]
        patches.append(image[row : row + patch_size, column : column + patch_size])
    return patches
