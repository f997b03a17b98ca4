"""Photograph, truth and the predictions of several networks side by side, a row an image."""

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .mask_picture import overlay_mask

# In pixels, and so are font sizes, at one dot a point.
DPI = 72
MARGIN = 16  # around everything
GAP = 8  # between panels
TITLE, SUBTITLE, SMALLEST = 17, 14, 6  # sizes of letters; they shrink where there is no room
SWATCH = 16
INK, GREY = '#202020', '#606060'


def comparison_picture(
    images: Sequence[np.ndarray],
    columns: Sequence[tuple[str, str, Sequence[np.ndarray]]],
    *,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    ignore_index: int = 255,
    panel_width: int = 240,
    alpha: float = 0.75,
) -> np.ndarray:
    """Draw a row an image: the photograph, and one panel for each column of label maps, blended over it.

    Small panels are enlarged a whole number of times, by nearest neighbours, so that single pixels of a prediction can
    be told apart. Below stands a legend of the classes that occur.

    Args:
        images: N times (H, W, 3) uint8 RGB; one of another size than its label maps is resized to them.
        columns: title, line below the title (may be empty) and N label maps, (h, w) integers: ids of classes, or
            ``ignore_index``, drawn black. The maps of a row have one size, those of all rows one width.
        classes: K names.
        palette: K colours, RGB in 0..255.
        ignore_index: id of pixels without a class.
        panel_width: narrower panels are enlarged until they have at least this many pixels.
        alpha: share of the class colour over the photograph, 0 to 1.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: nothing to draw, columns of different lengths, or label maps of different sizes.
    """
    counts = [len(maps) for _, _, maps in columns]
    if not counts or not len(images) or set(counts) != {len(images)}:
        raise ValueError(f'comparison_picture: {len(images)} images, {counts} label maps a column, expected as many')
    rows = list(zip(*(maps for _, _, maps in columns), strict=True))
    sizes = sorted({label_map.shape for maps in rows for label_map in maps})
    if any(len({label_map.shape for label_map in maps}) > 1 for maps in rows) or len({size[1] for size in sizes}) > 1:
        raise ValueError(f'comparison_picture: label maps of {sizes}, expected one size a row and one width')
    scale = -(-panel_width // sizes[0][1])
    paint = partial(_paint, palette=palette, ignore_index=ignore_index)
    lines = []
    for image, maps in zip(images, rows, strict=True):
        photograph = _enlarge(_fit(image, maps[0].shape), scale)
        panels = [paint(photograph, _enlarge(label_map, scale), alpha=alpha) for label_map in maps]
        lines.append(_join([photograph, *panels], axis=1))

    ids = np.unique(np.concatenate([np.unique(label_map) for maps in rows for label_map in maps])).tolist()
    names = {**dict(enumerate(classes)), ignore_index: 'ignored'}
    black = np.zeros((SWATCH, SWATCH, 3), dtype=np.uint8)
    swatches = [paint(black, np.full((SWATCH, SWATCH), each), alpha=1.0) for each in ids]
    entries = list(zip([names.get(each, f'no class: {each}') for each in ids], swatches, strict=True))
    titles = [('photograph', ''), *((title, below) for title, below, _ in columns)]
    return _lettered(_join(lines, axis=0), titles, scale * sizes[0][1], entries)


def _fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return image if image.shape[:2] == size else cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)


def _enlarge(picture: np.ndarray, scale: int) -> np.ndarray:
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def _paint(image: np.ndarray, label_map: np.ndarray, palette, ignore_index: int, alpha: float) -> np.ndarray:
    """Classes in colour, ignored pixels black: stripes would be louder here than what the networks differ in."""
    picture = overlay_mask(image, label_map, palette, ignore_index=ignore_index, alpha=alpha)
    ignored = label_map == ignore_index
    picture[ignored] = np.rint((1 - alpha) * image[ignored])
    return picture


def _join(parts: Sequence[np.ndarray], axis: int) -> np.ndarray:
    shape = list(parts[0].shape)
    shape[axis] = GAP
    paper = np.full(shape, 255, dtype=np.uint8)
    return np.concatenate([part for picture in parts for part in (paper, picture)][1:], axis=axis)


def _lettered(
    body: np.ndarray, titles: Sequence[tuple[str, str]], panel: int, entries: Sequence[tuple[str, np.ndarray]]
) -> np.ndarray:
    """Set titles above the columns of ``body``, which are ``panel`` pixels wide, and the legend below."""
    head = MARGIN + round(1.6 * TITLE) + (round(1.6 * SUBTITLE) if any(below for _, below in titles) else 0)
    legend = head + body.shape[0] + MARGIN
    places, lines = _flow([name for name, _ in entries], body.shape[1])
    height = legend + lines * (SWATCH + GAP) - GAP + MARGIN
    sheet = np.full((height, body.shape[1] + 2 * MARGIN, 3), 255, dtype=np.uint8)
    sheet[head : head + body.shape[0], MARGIN:-MARGIN] = body
    words = []  # left, middle of the letters, text, room, style
    small = {'size': SUBTITLE, 'color': GREY}
    for index, (title, below) in enumerate(titles):
        left = MARGIN + index * (panel + GAP)
        words.append((left, MARGIN + TITLE / 2, title, panel, {'size': TITLE, 'color': INK, 'weight': 'bold'}))
        words.append((left, MARGIN + 1.6 * TITLE + SUBTITLE / 2, below, panel, small))
    for (name, swatch), (column, line) in zip(entries, places, strict=True):
        left, top = MARGIN + column, legend + line * (SWATCH + GAP)
        sheet[top : top + SWATCH, left : left + SWATCH] = swatch
        room = body.shape[1] - SWATCH - GAP
        words.append((left + SWATCH + GAP, top + SWATCH / 2, name, room, {**small, 'color': INK}))
    return _write(sheet, words)


def _flow(names: Sequence[str], width: int) -> tuple[list[tuple[int, int]], int]:
    """Left edge and line of each entry of the legend, and the number of lines."""
    canvas = FigureCanvasAgg(Figure(dpi=DPI))
    places, left, line = [], 0, 0
    for name in names:
        needed = SWATCH + GAP + round(_length(canvas.figure.text(0, 0, name, size=SUBTITLE), canvas))
        if left and left + needed > width:
            left, line = 0, line + 1
        places.append((left, line))
        left += needed + 2 * MARGIN
    return places, line + 1


def _length(text, canvas: FigureCanvasAgg) -> float:
    return text.get_window_extent(canvas.get_renderer()).width


def _write(sheet: np.ndarray, words: Sequence[tuple]) -> np.ndarray:
    """Set text on a picture, smaller where there is no room; every pixel without a letter stays as it is."""
    height, width = sheet.shape[:2]
    canvas = FigureCanvasAgg(Figure(figsize=(width / DPI, height / DPI), dpi=DPI))
    canvas.figure.figimage(sheet)
    for left, middle, string, room, style in words:
        text = canvas.figure.text(left / width, 1 - middle / height, string, va='center_baseline', **style)
        while _length(text, canvas) > room and text.get_size() > SMALLEST:
            text.set_size(text.get_size() - 0.5)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
