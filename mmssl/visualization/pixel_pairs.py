"""Cells of two views that show the same place, joined by lines, and where the views lie in their image."""

from collections.abc import Sequence

import cv2
import numpy as np

from .contact_sheet import PAPER
from .mask_picture import distinct_palette

MOST_PAIRS = 24  # lines that can still be told apart
SEAM = 4  # pixels of paper between two views; they lie over the views, so that both together are as wide as two
DOT = 3  # radius of the end of a line, pixels
SHADE = 0.5  # of the edges of lines
BOX_COLOURS = ((255, 150, 0), (0, 190, 255))  # RGB, of view 1 and view 2
BITS = 4  # of fractions of a pixel in OpenCV's coordinates


def cell_centres(size: tuple[int, int]) -> np.ndarray:
    """Centres of the cells of a map, row by row.

    Args:
        size: (h, w) of the map.

    Returns:
        (h * w, 2) float64, x and y; -1 and 1 are the edges of the map.
    """
    rows, columns = np.indices(size)
    return np.stack([(2 * columns + 1) / size[1] - 1, (2 * rows + 1) / size[0] - 1], axis=-1).reshape(-1, 2)


def seen_at(places: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Where a warped view shows places of the view before the warp.

    Args:
        places: (N, 2), x and y, normalised: -1 and 1 are the edges of the view.
        affine: (2, 3), normalised coordinates of the warped view to those of the view before.

    Returns:
        (N, 2) float64, normalised; outside -1 to 1 where the warped view does not show the place.
    """
    linear, shift = affine[:, :2].astype(np.float64), affine[:, 2].astype(np.float64)
    return (places - shift) @ np.linalg.inv(linear).T


def to_pixels(places: np.ndarray, height: int, width: int) -> np.ndarray:
    """Normalised places (N, 2) in pixels of a picture, 0 being the centre of the first one; (N, 2) float64."""
    return (places + 1) / 2 * (width, height) - 0.5


def spread_pairs(pairs: np.ndarray, size: tuple[int, int], most: int = MOST_PAIRS) -> np.ndarray:
    """Choose pairs that lie apart from each other, in both views: the next is always the furthest from those chosen.

    Args:
        pairs: (h * w, h * w) bool, rows are cells of view 1, columns those of view 2.
        size: (h, w) of both maps.
        most: as many pairs at most, at least 1.

    Returns:
        (N, 2) int64, cell of view 1 and of view 2; all pairs where there are no more than ``most``.
    """
    every = np.argwhere(pairs)
    if len(every) <= most:
        return every
    places = cell_centres(size)[every].reshape(len(every), 4)
    chosen = [int(_distances(places, places.mean(axis=0)).argmin())]
    nearest = _distances(places, places[chosen[0]])
    while len(chosen) < most:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _distances(places, places[chosen[-1]]))
    return every[np.sort(chosen)]


def side_by_side(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two pictures of one size, (H, W, 3) uint8, as one of twice the width, with a seam of paper."""
    both = np.hstack([first, second])
    middle = first.shape[1]
    both[:, middle - SEAM // 2 : middle + SEAM // 2] = PAPER
    return both


def draw_pairs(
    first: np.ndarray,
    second: np.ndarray,
    pairs: np.ndarray,
    size: tuple[int, int],
    affine: np.ndarray,
    most: int = MOST_PAIRS,
) -> tuple[np.ndarray, str]:
    """Draw two views and lines between the centres of cells that are positive pairs.

    Args:
        first: (H, W, 3) uint8 RGB, view 1 as it is shown, flipped and warped.
        second: view 2, of the same size.
        pairs: (h * w, h * w) bool, rows are cells of view 1, columns those of view 2, in the frames before the warp.
        size: (h, w) of both maps.
        affine: (2, 2, 3), of each view, see :func:`seen_at`.
        most: lines at most; they are spread evenly (:func:`spread_pairs`).

    Returns:
        (H, 2 * W, 3) uint8 RGB, and the number of pairs in words.
    """
    picture = side_by_side(first, second)
    height, width = first.shape[:2]
    chosen = spread_pairs(pairs, size, most)
    centres = cell_centres(size)
    starts, ends = (
        to_pixels(seen_at(centres[cells], matrix), height, width)
        for cells, matrix in zip(chosen.T, affine, strict=True)
    )
    ends = ends + (width, 0)
    colours = distinct_palette(len(chosen))
    lines = list(zip(_fixed(starts), _fixed(ends), colours, strict=True))
    shaded = picture.copy()
    for start, end, _ in lines:
        cv2.line(shaded, start, end, (0, 0, 0), 3, cv2.LINE_AA, BITS)
    picture = cv2.addWeighted(picture, 1 - SHADE, shaded, SHADE, 0)
    for start, end, colour in lines:
        cv2.line(picture, start, end, colour, 1, cv2.LINE_AA, BITS)
    for points in (starts, ends):
        for point, colour in zip(_fixed(points), colours, strict=True):
            cv2.circle(picture, point, (DOT + 1) << BITS, (255, 255, 255), -1, cv2.LINE_AA, BITS)
            cv2.circle(picture, point, DOT << BITS, colour, -1, cv2.LINE_AA, BITS)
    count = int(pairs.sum())
    if not count:
        return picture, 'no overlap: no positive pair'
    drawn = f', {len(chosen)} drawn' if len(chosen) < count else ''
    return picture, f'{count} positive pair{"s" if count > 1 else ""}{drawn}'


def draw_boxes(image: np.ndarray, boxes: np.ndarray, affine: np.ndarray, height: int) -> np.ndarray:
    """Draw where two views lie in their image: view 1 orange, view 2 blue, a dot at the upper left corner of each.

    The frame of a view that was warped afterwards is drawn too, thin and without a dot: what the network sees of the
    image lies in both.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (2, 4), x1, y1, x2, y2 in pixels of the image, continuous edges; x1 > x2 where the view is flipped.
        affine: (2, 2, 3), of each view, see :func:`seen_at`.
        height: of the picture in pixels.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    scale = height / image.shape[0]
    size = (max(1, round(image.shape[1] * scale)), height)
    picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=np.float64)
    for box, matrix, colour in zip(boxes.astype(np.float64), affine, BOX_COLOURS, strict=True):
        frames = [(corners, 2)]
        if not np.array_equal(matrix, np.eye(2, 3)):
            frames.append((corners @ matrix[:, :2].T + matrix[:, 2], 1))
        for places, thickness in frames:
            points = (box[:2] + (places + 1) / 2 * (box[2:] - box[:2])) * scale - 0.5
            polygon = np.array(_fixed(points), dtype=np.int32)
            for line, tint in ((thickness + 2, (0, 0, 0)), (thickness, colour)):
                cv2.polylines(picture, [polygon], True, tint, line, cv2.LINE_AA, BITS)
        corner = _fixed([box[:2] * scale - 0.5])[0]
        cv2.circle(picture, corner, (DOT + 3) << BITS, (0, 0, 0), -1, cv2.LINE_AA, BITS)
        cv2.circle(picture, corner, (DOT + 2) << BITS, colour, -1, cv2.LINE_AA, BITS)
    return picture


def _distances(places: np.ndarray, place: np.ndarray) -> np.ndarray:
    return ((places - place) ** 2).sum(axis=1)


def _fixed(points: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """Pixels as OpenCV takes fractions of them."""
    return [tuple(np.rint(point * (1 << BITS)).astype(int).tolist()) for point in points]
