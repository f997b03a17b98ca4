"""Photograph, truth and predictions side by side: what stands at which pixel."""

import numpy as np
import pytest

from mmssl.visualization.comparison_picture import GAP, MARGIN, SUBTITLE, SWATCH, TITLE, comparison_picture

CLASSES = ['road', 'sky']
PALETTE = [[200, 0, 0], [0, 0, 100]]
HEAD = MARGIN + round(1.6 * TITLE)  # above the first panel, without lines below the titles


def draw(images, columns, **options):
    return comparison_picture(images, columns, classes=CLASSES, palette=PALETTE, **options)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (3, 100, 3), dtype=np.uint8)


def test_photograph_is_enlarged_by_nearest_neighbours(image):
    picture = draw([image], [('truth', '', [np.zeros((3, 100), int)])])
    # 100 pixels become 300, the first multiple from 240.
    panel = picture[HEAD : HEAD + 9, MARGIN : MARGIN + 300]
    assert (panel == np.kron(image, np.ones((3, 3, 1), dtype=np.uint8))).all()
    assert picture.shape[1] == MARGIN + 300 + GAP + 300 + MARGIN


def test_wide_panels_keep_their_size(image):
    picture = draw([image], [('truth', '', [np.zeros((3, 100), int)])], panel_width=100)
    assert (picture[HEAD : HEAD + 3, MARGIN : MARGIN + 100] == image).all()
    assert picture.shape[1] == 2 * MARGIN + 2 * 100 + GAP


def test_label_maps_are_blended_in_their_columns_and_rows():
    images = [np.full((2, 120, 3), 40, np.uint8), np.full((4, 120, 3), 80, np.uint8)]
    shapes = [(2, 120), (4, 120)]
    truth = [np.zeros(shape, int) for shape in shapes]
    prediction = [np.ones(shape, int) for shape in shapes]
    prediction[1][3, 119] = 255  # ignored: the last pixel of all
    picture = draw(images, [('truth', '', truth), ('mine', '', prediction)], alpha=0.75)
    second, third = MARGIN + 240 + GAP, MARGIN + 2 * (240 + GAP)
    below = HEAD + 4 + GAP  # rows of 2 pixels are 4 high
    assert picture[HEAD, second].tolist() == [160, 10, 10]  # a quarter of 40 and three of (200, 0, 0)
    assert picture[HEAD, third].tolist() == [10, 10, 85]
    assert picture[below, second].tolist() == [170, 20, 20]
    assert picture[below + 7, third + 237].tolist() == [20, 20, 95]
    assert (picture[below + 6 : below + 8, third + 238 : third + 240] == 20).all()  # black over a quarter of 80
    assert (picture[HEAD : below + 8, second - GAP : second] == 255).all()
    assert (picture[HEAD + 4 : below] == 255).all()


def test_an_image_of_another_size_is_brought_to_its_label_map():
    picture = draw([np.full((7, 30, 3), 90, np.uint8)], [('truth', '', [np.zeros((5, 240), int)])])
    assert (picture[HEAD : HEAD + 5, MARGIN : MARGIN + 240] == 90).all()


@pytest.mark.parametrize(('ids', 'colours'), [([0], [0]), ([1], [1]), ([0, 1], [0, 1])])
def test_the_legend_shows_the_classes_that_occur(ids, colours):
    label_map = np.resize(np.array(ids), (2, 240))
    picture = draw([np.zeros((2, 240, 3), np.uint8)], [('truth', '', [label_map])])
    for number, colour in enumerate(PALETTE):
        found = (picture == colour).all(axis=2).sum()
        assert found == (SWATCH**2 if number in colours else 0)  # the panels are blended, the swatch is not


def test_letters_stand_in_the_head_and_beside_swatches_only():
    maps = [np.zeros((2, 240), int)]
    picture = draw([np.zeros((2, 240, 3), np.uint8)], [('truth', '', maps), ('x', '', maps)])
    head = picture[:HEAD]
    written = (head < 255).any(axis=(0, 2))
    column = [written[MARGIN + index * (240 + GAP) :][:240].sum() for index in range(3)]
    assert column[0] > column[1] > column[2] > 0  # "photograph", "truth", "x"
    assert not written[:MARGIN].any()
    legend = picture[HEAD + 2 :]
    assert (legend[:, MARGIN + SWATCH + GAP :] < 128).any()  # "road"
    assert (legend[:, MARGIN + 240 :] == 255).all()


def test_a_long_line_below_a_title_stays_above_its_panel():
    maps = [np.zeros((2, 240), int)]
    columns = [('a', 'a line that is much too long for the width of a panel', maps), ('b', '', maps)]
    picture = draw([np.zeros((2, 240, 3), np.uint8)], columns)
    line = picture[HEAD : HEAD + round(1.6 * SUBTITLE)]
    first, second = MARGIN + 240 + GAP, MARGIN + 2 * (240 + GAP)
    assert (line[:, first : first + 240] < 255).any()
    assert (line[:, second:] == 255).all()


def test_the_legend_takes_as_many_lines_as_it_needs():
    names = [f'a long name of class number {number}' for number in range(8)]
    colours = [[10 * number, 255 - 10 * number, 7] for number in range(8)]
    maps = [np.resize(np.arange(8), (2, 240))]
    image = np.zeros((2, 240, 3), np.uint8)
    picture = comparison_picture([image], [('truth', '', maps)], classes=names, palette=colours)
    places = [np.argwhere((picture == colour).all(axis=2)) for colour in colours]
    assert all(len(place) == SWATCH**2 for place in places)
    tops = sorted({int(place[0, 0]) for place in places})
    assert len(tops) >= 4  # at most two entries fit in 488 pixels
    assert set(np.diff(tops)) == {SWATCH + GAP}
    assert picture.shape[0] == tops[-1] + SWATCH + MARGIN
    assert (picture[:, -MARGIN // 2 :] == 255).all()


@pytest.mark.parametrize(
    ('counts', 'shape', 'message'),
    [
        ((0, 0), (2, 3), r'0 images, \[0\] label maps a column'),
        ((2, 1), (2, 3), r'2 images, \[1\] label maps a column'),
        ((1, None), (2, 3), r'1 images, \[\] label maps a column'),
        ((2, 2), (2, 4), r'label maps of \[\(2, 3\), \(2, 4\)\], expected one size a row and one width'),
    ],
)
def test_what_cannot_be_drawn_is_refused(counts, shape, message):
    images = [np.zeros((2, 3, 3), np.uint8)] * counts[0]
    maps = [np.zeros((2, 3), int), np.zeros(shape, int)][: counts[1]]
    columns = [] if counts[1] is None else [('truth', '', maps)]
    with pytest.raises(ValueError, match=message):
        draw(images, columns)
