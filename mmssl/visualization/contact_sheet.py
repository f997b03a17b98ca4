"""Several pictures on one sheet, with captions and a legend of classes."""

from collections.abc import Sequence

import cv2
import numpy as np

FONT = cv2.FONT_HERSHEY_SIMPLEX
LINE = 18  # pixels
MARGIN = 6
PAPER = 255


def write_text(text: str, width: int, height: int = LINE) -> np.ndarray:
    """Draws one line of black text, made smaller where it does not fit; (height, width, 3) uint8."""
    strip = np.full((height, width, 3), PAPER, dtype=np.uint8)
    text = text.encode('ascii', 'replace').decode()  # the font has no other letters
    scale = 0.45
    needed = cv2.getTextSize(text, FONT, scale, 1)[0][0]
    if needed > width - MARGIN:
        scale = max(0.25, scale * (width - MARGIN) / needed)
    cv2.putText(strip, text, (MARGIN // 2, height - 5), FONT, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return strip


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str], columns: int = 2) -> np.ndarray:
    """Places groups of pictures on a sheet, each group in a line with its caption above.

    Args:
        rows: one group per image: (H, W, 3) uint8 pictures of one height (photograph and overlay).
        captions: one per group.
        columns: groups side by side.

    Returns:
        (height, width, 3) uint8.

    Raises:
        ValueError: nothing to place, or another number of captions.
    """
    if not rows or len(rows) != len(captions):
        raise ValueError(f'contact_sheet: {len(rows)} groups and {len(captions)} captions found')
    tiles = []
    for pictures, caption in zip(rows, captions, strict=True):
        line = np.hstack([np.pad(picture, ((0, 0), (0, 2), (0, 0)), constant_values=PAPER) for picture in pictures])
        tiles.append(np.vstack([write_text(caption, line.shape[1]), line]))
    columns = min(columns, len(tiles))
    height = max(tile.shape[0] for tile in tiles) + MARGIN
    width = max(tile.shape[1] for tile in tiles) + MARGIN
    lines = -(-len(tiles) // columns)
    sheet = np.full((lines * height, columns * width, 3), PAPER, dtype=np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet


def legend(entries: Sequence[tuple[str, np.ndarray]], width: int) -> np.ndarray:
    """Draws swatches with names beside them, as many in a line as fit.

    Args:
        entries: name and (LINE, LINE, 3) uint8 swatch.
        width: of the legend in pixels.

    Returns:
        (height, width, 3) uint8.
    """
    longest = max(cv2.getTextSize(name, FONT, 0.45, 1)[0][0] for name, _ in entries)
    cell = min(width, longest + LINE + 4 * MARGIN)
    columns = max(1, width // cell)
    lines = -(-len(entries) // columns)
    picture = np.full((lines * (LINE + MARGIN) + MARGIN, width, 3), PAPER, dtype=np.uint8)
    for index, (name, swatch) in enumerate(entries):
        top, left = index // columns * (LINE + MARGIN) + MARGIN, index % columns * cell
        entry = np.hstack([swatch, write_text(name, max(cell - LINE, LINE))])[:, : width - left]
        picture[top : top + LINE, left : left + entry.shape[1]] = entry
    return picture
