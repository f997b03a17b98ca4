"""The sheet of a pretext task: a row a sample, its columns input, target and prediction."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..contact_sheet import LINE, PAPER, legend, write_text

RIGHT, WRONG, NEUTRAL = (0, 150, 60), (210, 30, 30), (190, 190, 190)
FRAME = 3  # pixels around a picture
SPACE = 10  # pixels between two panels, and around the sheet
WIDEST = 2.0  # width of a panel by its height; wider pictures become lower
RULE = 215  # grey of the line under the titles


@dataclass(frozen=True)
class Panel:
    """One picture of a row.

    Attributes:
        picture: (H, W, 3) uint8 RGB.
        caption: one line above it.
        right: whether it shows a right answer, for the colour of the frame; None where there is no such question.
    """

    picture: np.ndarray
    caption: str
    right: bool | None = None


def fit_picture(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a picture into a box, all of it and undistorted, in the middle of white paper.

    Args:
        picture: (h, w, 3) uint8.
        height: of the box in pixels.
        width: of the box in pixels.

    Returns:
        (height, width, 3) uint8.
    """
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    if tuple(size) != picture.shape[1::-1]:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    paper = np.full((height, width, 3), PAPER, dtype=np.uint8)
    paper[top : top + size[1], left : left + size[0]] = picture
    return paper


def task_sheet(
    heading: Sequence[str],
    columns: Sequence[str],
    rows: Sequence[Sequence[Panel]],
    *,
    height: int = 256,
    entries: Sequence[tuple[str, np.ndarray]] = (),
) -> np.ndarray:
    """Lay out the panels of all samples in columns, a frame around each in the colour of its verdict.

    Args:
        heading: lines at the top.
        columns: titles.
        rows: panels of each sample, as many as columns.
        height: of a picture in pixels; the width of a column follows from the widest of its pictures.
        entries: name and (LINE, LINE, 3) uint8 swatch for a legend at the bottom, none for no legend.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: no rows, or one with another number of panels.
    """
    if not rows or any(len(row) != len(columns) for row in rows):
        raise ValueError(
            f'task_sheet: rows of {[len(row) for row in rows]} panels found, at least one of {len(columns)} expected'
        )
    aspects = [max(one.picture.shape[1] / one.picture.shape[0] for one in column) for column in zip(*rows, strict=True)]
    widths = [round(height * min(aspect, WIDEST)) for aspect in aspects]
    titles = _line([write_text(title, width + 2 * FRAME) for title, width in zip(columns, widths, strict=True)])
    strips = [write_text(text, titles.shape[1]) for text in heading]
    parts = [*strips, _space(titles.shape[1]), titles, np.full((1, titles.shape[1], 3), RULE, dtype=np.uint8)]
    for row in rows:
        panels = [_draw(panel, height, width) for panel, width in zip(row, widths, strict=True)]
        parts += [_space(titles.shape[1]), _line(panels)]
    if entries:
        parts += [_space(titles.shape[1]), legend(entries, titles.shape[1])]
    return np.pad(np.vstack(parts), ((SPACE, SPACE), (SPACE, SPACE), (0, 0)), constant_values=PAPER)


def _draw(panel: Panel, height: int, width: int) -> np.ndarray:
    colour = NEUTRAL if panel.right is None else RIGHT if panel.right else WRONG
    framed = np.empty((height + 2 * FRAME, width + 2 * FRAME, 3), dtype=np.uint8)
    framed[:] = colour
    framed[FRAME:-FRAME, FRAME:-FRAME] = fit_picture(panel.picture, height, width)
    return np.vstack([write_text(panel.caption, framed.shape[1], LINE), framed])


def _line(pictures: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((pictures[0].shape[0], SPACE, 3), PAPER, dtype=np.uint8)
    return np.hstack([part for picture in pictures for part in (gap, picture)][1:])


def _space(width: int) -> np.ndarray:
    return np.full((SPACE, width, 3), PAPER, dtype=np.uint8)
