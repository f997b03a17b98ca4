"""Where the sheet of a pretext task puts its panels, and their frames."""

import numpy as np
import pytest

from mmssl.visualization.contact_sheet import LINE
from mmssl.visualization.pretext_pictures import Panel, task_sheet
from mmssl.visualization.pretext_pictures.task_sheet import FRAME, NEUTRAL, RIGHT, SPACE, WRONG, fit_picture

HEIGHT = 20


def grey(height, width, value=120):
    return np.full((height, width, 3), value, np.uint8)


def test_fit_keeps_the_aspect():
    small = fit_picture(grey(10, 20), 40, 40)
    assert small.shape == (40, 40, 3)
    assert (small[10:30] == 120).all()
    assert (small[:10] == 255).all()
    assert (small[30:] == 255).all()
    large = fit_picture(grey(100, 50), 20, 30)
    assert (large[:, 10:20] == 120).all()
    assert (large == 255).all(axis=2).sum() == 20 * 20
    unchanged = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    assert np.array_equal(fit_picture(unchanged, 20, 30), unchanged)


def test_panels_stand_in_columns_of_one_size():
    rows = [
        [Panel(grey(20, 30, 10), 'a'), Panel(grey(20, 30, 20), 'b', True)],
        [Panel(grey(40, 60, 30), 'c'), Panel(grey(20, 30, 40), 'd', False)],
    ]
    sheet = task_sheet(['heading'], ['input', 'target'], rows, height=HEIGHT)
    box, cell = 30 + 2 * FRAME, HEIGHT + 2 * FRAME
    top = SPACE + LINE + SPACE + LINE + 1  # heading, space, titles, rule
    row_height = SPACE + LINE + cell
    assert sheet.shape == (top + 2 * row_height + SPACE, 2 * box + 3 * SPACE, 3)
    for row in range(2):
        for column in range(2):
            y, x = top + row * row_height + SPACE + LINE, SPACE + column * (box + SPACE)
            framed = sheet[y : y + cell, x : x + box]
            assert (framed[FRAME:-FRAME, FRAME:-FRAME] == 10 * (2 * row + column + 1)).all()
            colour = NEUTRAL if column == 0 else (RIGHT, WRONG)[row]
            assert (framed[:FRAME] == colour).all()
            assert (framed[:, -FRAME:] == colour).all()


def test_wide_pictures_and_legend():
    swatch = np.full((LINE, LINE, 3), (1, 77, 3), np.uint8)
    plain = task_sheet([], ['input'], [[Panel(grey(10, 100), '')]], height=HEIGHT)
    assert plain.shape[1] == 2 * HEIGHT + 2 * FRAME + 2 * SPACE  # at most twice as wide as high
    sheet = task_sheet([], ['input'], [[Panel(grey(10, 100), '')]], height=HEIGHT, entries=[('dark', swatch)])
    assert (sheet == (1, 77, 3)).all(axis=2).sum() == LINE * LINE
    assert np.array_equal(sheet[: len(plain) - SPACE], plain[:-SPACE])


def test_rows_must_be_as_long_as_the_titles():
    with pytest.raises(ValueError, match=r'rows of \[1\] panels found, at least one of 2 expected'):
        task_sheet([], ['a', 'b'], [[Panel(grey(5, 5), '')]])
    with pytest.raises(ValueError, match=r'rows of \[\]'):
        task_sheet([], ['a'], [])
