"""The picture of a mixed batch, pixel by pixel."""

import numpy as np
import pytest

from mmssl.visualization.contact_sheet import LINE, MARGIN
from mmssl.visualization.mix_picture import GAP, mix_picture

RED, GREEN, BLUE, GREY = (200, 0, 0), (0, 200, 0), (0, 0, 200), (90, 90, 90)
CLASSES, PALETTE = ('road', 'sky', 'tree'), (RED, GREEN, BLUE)


@pytest.fixture
def arrays():
    shape = (2, 8, 16)
    first, second = (np.full((*shape, 3), value, dtype=np.uint8) for value in (50, 150))
    mask = np.zeros(shape, dtype=bool)
    mask[0, :, :4] = mask[1, :2] = True
    mixed = np.where(mask[..., None], first, second)
    target = np.where(mask, 1, 0)
    target[0, :, 12:] = 255
    return first, second, mask, mixed, target, np.full(shape, 2)


def panels(picture, rows, height, width):
    """Cuts the picture into [row][column]."""
    top = [MARGIN + LINE + row * (height + GAP) for row in range(rows)]
    left = [MARGIN + column * (width + GAP) for column in range(6)]
    return [[picture[y : y + height, x : x + width] for x in left] for y in top]


def test_panels(arrays):
    picture = mix_picture(*arrays, classes=CLASSES, palette=PALETTE, height=40)
    rows = panels(picture, 2, 40, 80)
    first, second, mask, mixed, target, prediction = rows[0]
    assert (first == 50).all()
    assert (second == 150).all()
    assert (mask[:, :20] == 255).all()
    assert (mask[:, 20:] == 0).all()
    assert (mixed[:, :18] == 50).all()  # photographs are interpolated across the border
    assert (mixed[:, 22:] == 150).all()
    assert (target[:, :20] == GREEN).all()
    assert (target[:, 20:60] == RED).all()
    assert set(np.unique(target[:, 60:])) == {0, 255}  # stripes on black
    assert (target[:, 60:] == 0).mean() > 0.8
    assert (prediction == BLUE).all()
    assert (rows[1][2][:10] == 255).all()
    assert (rows[1][2][10:] == 0).all()
    assert (rows[1][4][10:] == RED).all()


def test_captions_once_and_a_legend_of_what_occurs(arrays):
    picture = mix_picture(*arrays, classes=CLASSES, palette=PALETTE, height=40)
    assert picture.shape[1] == 6 * 80 + 5 * GAP + 2 * MARGIN
    bottom = picture[MARGIN + LINE + 2 * (40 + GAP) : -MARGIN]
    for colour in PALETTE:
        assert (bottom == colour).all(-1).sum() == LINE * LINE
    alone = mix_picture(*(array[:1] for array in arrays), classes=CLASSES, palette=PALETTE, height=40)
    assert picture.shape[0] - alone.shape[0] == 40 + GAP
    heading = mix_picture(*arrays, classes=CLASSES, palette=PALETTE, height=40, heading='iteration 7')
    assert heading.shape[0] == picture.shape[0] + LINE
    np.testing.assert_array_equal(heading[MARGIN + 2 * LINE :], picture[MARGIN + LINE :])
    fewer = [*arrays[:4], np.zeros_like(arrays[4]), np.zeros_like(arrays[5])]
    fewer = mix_picture(*fewer, classes=CLASSES, palette=PALETTE, height=40)
    assert not (fewer == BLUE).all(-1).any()


def test_large_images_are_made_smaller(arrays):
    large = [array.repeat(10, 1).repeat(10, 2) for array in arrays]
    picture = mix_picture(*large, classes=CLASSES, palette=PALETTE, height=40)
    assert (panels(picture, 2, 40, 80)[0][4][:, 20:60] == RED).all()


def test_arrays_of_other_sizes_are_refused(arrays):
    with pytest.raises(ValueError, match=r'arrays of \[\(2, 8, 15\), \(2, 8, 16\)\] found'):
        mix_picture(*arrays[:5], arrays[5][:, :, :15], classes=CLASSES, palette=PALETTE)
    with pytest.raises(ValueError, match='B of at least 1 expected'):
        mix_picture(*(array[:0] for array in arrays), classes=CLASSES, palette=PALETTE)
