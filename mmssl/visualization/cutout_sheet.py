"""Cut-outs of several networks beside the photograph and the truth, a row an image (S3, figure 4.14)."""

from collections.abc import Sequence

import cv2
import numpy as np

from .contact_sheet import PAPER, contact_sheet, write_text


def cutout_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[Sequence[str]],
    captions: Sequence[str],
    panel: tuple[int, int] = (180, 240),
) -> np.ndarray:
    """Draw a row an image, with a line of text above each picture and a caption above each row.

    Args:
        rows: one list an image: (H, W, 3) uint8 pictures: photograph, a cut-out a network, truth.
        titles: one text a picture.
        captions: one a row.
        panel: height and width that pictures are fitted into, with paper around them.

    Returns:
        (height, width, 3) uint8, channels in the order of the pictures.

    Raises:
        ValueError: nothing to draw, or other numbers of titles or captions.
    """
    found = [len(row) for row in rows], [len(row) for row in titles], len(captions)
    if not rows or found[0] != found[1] or len(rows) != len(captions):
        raise ValueError(
            f'cutout_sheet: {found[0]} pictures, {found[1]} titles and {found[2]} captions, expected as many'
        )
    groups = [
        [
            np.vstack([write_text(title, panel[1]), fit_panel(picture, panel)])
            for picture, title in zip(*row, strict=True)
        ]
        for row in zip(rows, titles, strict=True)
    ]
    return contact_sheet(groups, captions, columns=1)


def fit_panel(picture: np.ndarray, panel: tuple[int, int]) -> np.ndarray:
    """Resize a picture into a panel without changing its proportions, in the middle.

    Args:
        picture: (H, W, 3) uint8.
        panel: height and width.

    Returns:
        (*panel, 3) uint8.
    """
    scale = min(panel[0] / picture.shape[0], panel[1] / picture.shape[1])
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    top, left = (panel[0] - height) // 2, (panel[1] - width) // 2
    paper = np.full((*panel, 3), PAPER, dtype=np.uint8)
    paper[top : top + height, left : left + width] = cv2.resize(picture, (width, height), interpolation=method)
    return paper
