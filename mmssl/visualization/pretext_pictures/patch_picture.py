"""Patches on a 3x3 grid: puzzles, solved and unsolved, and a neighbour at its place beside the centre."""

from collections.abc import Mapping, Sequence

import numpy as np

SIDE = 3  # cells
CENTRE = 4
GAP = 4  # pixels between two cells
EMPTY = 232  # grey of a cell without a patch
PAPER = 255
OUTLINE = 2  # pixels


def solve_puzzle(patches: np.ndarray, permutation: Sequence[int]) -> np.ndarray:
    """Undo a permutation.

    Args:
        patches: (P, ...), patch i was taken from the cell ``permutation[i]``, or is believed to.
        permutation: (P,), each of 0..P-1 once.

    Returns:
        (P, ...), the patch of every cell: cell ``permutation[i]`` gets patch i.

    Raises:
        ValueError: not a permutation of as many patches.
    """
    order = np.asarray(permutation)
    if sorted(order.tolist()) != list(range(len(patches))):
        raise ValueError(
            f'solve_puzzle: {order.tolist()} found, a permutation of the {len(patches)} patches 0..{len(patches) - 1} '
            'expected'
        )
    solved = np.empty_like(patches)
    solved[order] = patches
    return solved


def patch_puzzle(patches: np.ndarray, outlines: Mapping[int, Sequence[int]] | None = None) -> np.ndarray:
    """Draw nine patches on a grid with white gaps.

    Args:
        patches: (9, h, w, 3) uint8, row-major.
        outlines: cell to the colour of a frame around its patch, drawn over the outermost pixels of the patch.

    Returns:
        (3h + 2 GAP, 3w + 2 GAP, 3) uint8.
    """
    return _draw_cells(dict(enumerate(patches)), outlines or {}, background=PAPER)


def centre_and_neighbour(
    centre: np.ndarray, neighbour: np.ndarray, cell: int, outline: Sequence[int] | None = None
) -> np.ndarray:
    """Draw the centre of a 3x3 frame and one neighbour at a place beside it; the other cells are light grey.

    Args:
        centre: (h, w, 3) uint8.
        neighbour: (h, w, 3) uint8.
        cell: where the neighbour goes, row-major, 0 to 8 without the centre 4.
        outline: colour of a frame around the neighbour.

    Returns:
        (3h + 2 GAP, 3w + 2 GAP, 3) uint8.

    Raises:
        ValueError: a cell that is none, or the centre.
    """
    if cell not in range(SIDE**2) or cell == CENTRE:
        raise ValueError(f'centre_and_neighbour: cell {cell} found, 0 to 8 without the centre {CENTRE} expected')
    outlines = {} if outline is None else {cell: outline}
    return _draw_cells({CENTRE: centre, cell: neighbour}, outlines, background=PAPER, empty=EMPTY)


def patch_pair(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Draw two patches side by side in the middle of white paper, as large as :func:`centre_and_neighbour`'s picture.

    Args:
        first: (h, w, 3) uint8.
        second: (h, w, 3) uint8.

    Returns:
        (3h + 2 GAP, 3w + 2 GAP, 3) uint8.
    """
    height, width = first.shape[:2]
    paper = np.full((SIDE * height + 2 * GAP, SIDE * width + 2 * GAP, 3), PAPER, dtype=np.uint8)
    top, left = height + GAP, (paper.shape[1] - 2 * width - 2 * GAP) // 2
    for patch, start in ((first, left), (second, left + width + 2 * GAP)):
        paper[top : top + height, start : start + width] = patch
    return paper


def patch_place(cell: int, height: int, width: int) -> tuple[slice, slice]:
    """Where a cell of (height, width) pixels lies in a picture of this module: rows and columns."""
    row, column = divmod(cell, SIDE)
    top, left = row * (height + GAP), column * (width + GAP)
    return slice(top, top + height), slice(left, left + width)


def _draw_cells(
    patches: Mapping[int, np.ndarray],
    outlines: Mapping[int, Sequence[int]],
    *,
    background: int,
    empty: int | None = None,
) -> np.ndarray:
    height, width = next(iter(patches.values())).shape[:2]
    picture = np.full((SIDE * height + 2 * GAP, SIDE * width + 2 * GAP, 3), background, dtype=np.uint8)
    for cell in range(SIDE**2):
        place = patch_place(cell, height, width)
        if cell in patches:
            picture[place] = patches[cell]
        elif empty is not None:
            picture[place] = empty
        if cell in outlines:
            framed = picture[place].copy()
            picture[place] = np.asarray(outlines[cell], dtype=np.uint8)
            inner = slice(OUTLINE, -OUTLINE)
            picture[place][inner, inner] = framed[inner, inner]
    return picture
