"""The similarity of one pixel of a view to all pixels of the other one."""

import cv2
import numpy as np

from .contact_sheet import LINE
from .mask_picture import overlay_mask
from .pixel_pairs import side_by_side

HEAT = 0.6  # share of the colour of the similarity over the photograph
SHORTEST = 1e-12
STRAIGHTER = 2.0  # pixels by which an outline may leave the stairs of a turned cell
NOTHING = 255  # id of pixels without a cell


def cosine_map(vector: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Cosine of a vector to every cell of a map.

    Args:
        vector: (C,), float.
        features: (C, h, w), float.

    Returns:
        (h, w) float64, -1 to 1; 0 where either is zero.
    """
    vector, features = vector.astype(np.float64), features.astype(np.float64)
    lengths = np.linalg.norm(features, axis=0) * np.linalg.norm(vector)
    return np.clip(np.tensordot(vector, features, axes=1) / np.maximum(lengths, SHORTEST), -1, 1)


def choose_pixel(pairs: np.ndarray, size: tuple[int, int], pixel: tuple[int, int] | None = None) -> int:
    """The cell of view 1 to look at.

    Args:
        pairs: (h * w, h * w) bool, rows are cells of view 1.
        size: (h, w) of the map.
        pixel: row and column; None takes, of the cells with a positive pair, the one nearest to the centre, and the
            central one where none has any.

    Returns:
        Its number, row by row.

    Raises:
        ValueError: there is no such cell.
    """
    height, width = size
    if pixel is not None:
        row, column = pixel
        if not (0 <= row < height and 0 <= column < width):
            raise ValueError(f'pixel={tuple(pixel)} found, (row, column) in a map of {height}x{width} cells expected')
        return row * width + column
    if not pairs.any():
        return height // 2 * width + width // 2
    rows, columns = np.indices(size)
    distances = (rows - (height - 1) / 2) ** 2 + (columns - (width - 1) / 2) ** 2
    return int(np.where(pairs.any(axis=1), distances.ravel(), np.inf).argmin())


def cells_behind(height: int, width: int, size: tuple[int, int], affine: np.ndarray) -> np.ndarray:
    """Which cell of the view before the warp is behind each pixel of the warped one.

    Args:
        height: of the picture of the view.
        width: of it.
        size: (h, w) of the map.
        affine: (2, 3), normalised coordinates of the warped view to those of the view before.

    Returns:
        (height, width) int64, numbers of cells, row by row; -1 where there is none.
    """
    x, y = ((np.arange(side) * 2 + 1) / side - 1 for side in (width, height))
    places = np.stack(np.meshgrid(x, y), axis=-1) @ affine[:, :2].T + affine[:, 2]
    columns, rows = np.moveaxis(np.floor((places + 1) / 2 * size[::-1]).astype(np.int64), -1, 0)
    inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
    return np.where(inside, rows * size[1] + columns, -1)


def heat_colours(similarity: np.ndarray) -> np.ndarray:
    """Colours of cosines: -1 is dark blue, 0 green, 1 dark red; (N,) -> (N, 3) uint8 RGB."""
    levels = np.rint((similarity + 1) / 2 * 255).astype(np.uint8)
    return cv2.applyColorMap(levels.reshape(-1, 1), cv2.COLORMAP_TURBO)[:, 0, ::-1]


def heat_entries() -> list[tuple[str, np.ndarray]]:
    """Names and swatches of a legend of :func:`draw_similarity`."""
    levels = np.linspace(-1, 1, 9)
    names = [f'{"cosine " if not index else ""}{level:g}' for index, level in enumerate(levels)]
    swatches = [np.broadcast_to(colour, (LINE, LINE, 3)) for colour in heat_colours(levels)]
    return list(zip(names, swatches, strict=True))


def hatch(picture: np.ndarray, hatched: np.ndarray) -> np.ndarray:
    """Stripes over a part of a picture: (H, W, 3) uint8 and (H, W) bool -> (H, W, 3) uint8."""
    return overlay_mask(picture, np.where(hatched, NOTHING, 0), [(0, 0, 0)], ignore_index=NOTHING, alpha=0.0)


def draw_similarity(
    first: np.ndarray,
    second: np.ndarray,
    online: np.ndarray,
    target: np.ndarray,
    pairs: np.ndarray,
    affine: np.ndarray,
    valid: np.ndarray,
    pixel: tuple[int, int] | None = None,
) -> tuple[np.ndarray, str]:
    """Draw a cell of view 1, in white, and the cosine of its feature to all cells of view 2, as heat over it.

    In view 2 the positive pairs of the cell are outlined in white. What lies in no cell is hatched.

    Args:
        first: (H, W, 3) uint8 RGB, view 1 as it is shown, flipped and warped.
        second: view 2, of the same size.
        online: (C, h, w), float: y of view 1, in the frame before the warp.
        target: (C, h, w), float: x' of view 2, in the frame before the warp.
        pairs: (h * w, h * w) bool, rows are cells of view 1, columns those of view 2.
        affine: (2, 2, 3), of each view, normalised coordinates of the warped view to those of the view before.
        valid: (h, w) bool, cells of view 2 with image behind them.
        pixel: row and column of the cell; None for :func:`choose_pixel`.

    Returns:
        (H, 2 * W, 3) uint8 RGB, and the cell and its cosines in words.

    Raises:
        ValueError: there is no such cell.
    """
    size = online.shape[1:]
    chosen = choose_pixel(pairs, size, pixel)
    similarity = cosine_map(online.reshape(len(online), -1)[:, chosen], target)
    known = valid & np.isfinite(similarity)
    shown = [cells_behind(*first.shape[:2], size, matrix) for matrix in affine]
    heat = heat_colours(np.where(known, similarity, 0).ravel())[shown[1]]
    blended = np.rint(HEAT * heat + (1 - HEAT) * second).astype(np.uint8)
    blended = hatch(blended, (shown[1] < 0) | ~known.ravel()[shown[1]])
    marked = _outline(first, shown[0] == chosen)
    partners = np.flatnonzero(pairs[chosen])
    blended = _outline(blended, np.isin(shown[1], partners))
    caption = f'cell {divmod(chosen, size[1])}: '
    caption += f'cosine {similarity[known].min():.2f} to {similarity[known].max():.2f}' if known.any() else 'no cosine'
    if len(partners):
        caption += f', pairs {similarity.ravel()[partners].mean():.2f}'
    return side_by_side(marked, blended), caption


def _outline(picture: np.ndarray, area: np.ndarray) -> np.ndarray:
    """A picture with a white line around an area, edged in black."""
    picture = picture.copy()
    contours = cv2.findContours(area.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    contours = [cv2.approxPolyDP(one, STRAIGHTER, True) for one in contours]
    for thickness, colour in ((4, (0, 0, 0)), (2, (255, 255, 255))):
        cv2.drawContours(picture, contours, -1, colour, thickness, cv2.LINE_AA)
    return picture
