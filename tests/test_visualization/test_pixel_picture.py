"""Pictures of pixel-level pretraining: lines, boxes, colours and cells, at pixels worked out by hand."""

import itertools

import numpy as np
import pytest
import torch

from mmssl.datasets.transforms.affine_view import affine_matrix, warp
from mmssl.models.losses.pixel_consistency import positive_pairs
from mmssl.models.selfsup.warp_back import warp_back
from mmssl.visualization import pixel_picture as module
from mmssl.visualization.feature_colours import feature_colours
from mmssl.visualization.mask_picture import distinct_palette
from mmssl.visualization.pixel_pairs import (
    BOX_COLOURS,
    cell_centres,
    draw_boxes,
    draw_pairs,
    seen_at,
    spread_pairs,
    to_pixels,
)
from mmssl.visualization.pixel_picture import pixel_picture
from mmssl.visualization.pixel_similarity import (
    HEAT,
    cells_behind,
    choose_pixel,
    cosine_map,
    draw_similarity,
    heat_colours,
)

STILL = np.eye(2, 3)
BOTH_STILL = np.stack([STILL, STILL])
SIDE = 80  # of a view; cells of a map of 4 x 4 are 20 pixels
GREY = np.full((SIDE, SIDE, 3), 60, np.uint8)


def pairs_of(first, second, size=(4, 4)) -> np.ndarray:
    return positive_pairs(torch.tensor([[first, second]], dtype=torch.float32), size)[0].numpy()


def dot(picture, row, column, view=0) -> list[int]:
    """Colour in the middle of a cell of a view of 80 x 80 pixels and 4 x 4 cells."""
    return picture[20 * row + 9, view * SIDE + 20 * column + 9].tolist()


@pytest.mark.parametrize(
    ('second', 'partner', 'count'),
    [
        ((80, 0, 0, 80), lambda row, column: (row, 3 - column), 16),  # flipped
        ((40, 0, 120, 80), lambda row, column: (row, column - 2), 8),  # half a view to the right
        ((0, -20, 80, 60), lambda row, column: (row + 1, column), 12),  # a cell up
    ],
)
def test_lines_end_at_the_cells_of_a_pair(second, partner, count):
    pairs = pairs_of((0, 0, 80, 80), second)
    picture, caption = draw_pairs(GREY, GREY, pairs, (4, 4), BOTH_STILL)
    assert caption == f'{count} positive pairs'
    assert picture.shape == (80, 160, 3)
    seen = set()
    for row, column in itertools.product(range(4), repeat=2):
        there = partner(row, column)
        if not all(0 <= one < 4 for one in there):
            continue
        colour = dot(picture, row, column)
        assert colour == dot(picture, *there, view=1)
        seen.add(tuple(colour))
    assert seen == {tuple(colour) for colour in distinct_palette(count)}


def test_a_line_and_nothing_else():
    pairs = np.zeros((16, 16), bool)
    pairs[4, 7] = True  # row 1: column 0 of view 1, column 3 of view 2; from x 9.5 to 149.5, y 29.5
    picture, caption = draw_pairs(GREY, GREY, pairs, (4, 4), BOTH_STILL)
    assert caption == '1 positive pair'
    changed = (picture != np.hstack([GREY, GREY])).any(-1)
    changed[:, 78:82] = False  # the seam
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max()) == (24, 35)  # circles of a radius of 4, and their soft edge
    assert (columns.min(), columns.max()) == (4, 155)
    assert set(np.nonzero(changed[:, 40])[0]) <= set(range(26, 34))
    assert changed[29:31, 20:78].all()


def test_no_overlap_draws_nothing():
    pairs = pairs_of((0, 0, 80, 80), (200, 0, 280, 80))
    picture, caption = draw_pairs(GREY, GREY, pairs, (4, 4), BOTH_STILL)
    assert caption == 'no overlap: no positive pair'
    assert (picture[:, :78] == 60).all()
    assert (picture[:, 82:] == 60).all()
    assert (picture[:, 78:82] == 255).all()


def test_few_of_many_pairs_are_spread():
    pairs = np.eye(144, dtype=bool)
    chosen = spread_pairs(pairs, (12, 12))
    assert len(np.unique(chosen[:, 0])) == 24
    assert (chosen[:, 0] == chosen[:, 1]).all()
    places = np.stack(np.divmod(np.arange(144), 12), axis=-1)
    nearest = np.linalg.norm(places[:, None] - places[chosen[:, 0]], axis=-1).min(axis=1)
    assert nearest.max() < 3  # no cell is further from a line
    assert np.array_equal(spread_pairs(pairs, (12, 12), 144), np.argwhere(pairs))
    enlarged = np.zeros((240, 240, 3), np.uint8)
    assert draw_pairs(enlarged, enlarged, pairs, (12, 12), BOTH_STILL)[1] == '144 positive pairs, 24 drawn'


def test_places_of_a_warped_view():
    turned = affine_matrix(SIDE, SIDE, rotation=90)
    assert seen_at(np.array([[1.0, 0.0], [0.0, 1.0]]), turned) == pytest.approx(np.array([[0, -1], [1, 0]]), abs=1e-12)
    moved = affine_matrix(SIDE, SIDE, translation=(20, 8))
    assert to_pixels(seen_at(cell_centres((4, 4))[:1], moved), SIDE, SIDE)[0] == pytest.approx((29.5, 17.5))
    # A spot, found again where the image was warped to.
    matrix = affine_matrix(SIDE, SIDE, rotation=33, translation=(7, -4), shear=(10, 0))
    for cell in (5, 6, 9, 10):
        x, y = to_pixels(cell_centres((4, 4))[cell : cell + 1], SIDE, SIDE)[0]
        spot = np.zeros((SIDE, SIDE), np.float32)
        spot[int(y) : int(y) + 2, int(x) : int(x) + 2] = 1
        warped = warp(spot, matrix)
        rows, columns = np.indices(warped.shape)
        centre = (columns * warped).sum() / warped.sum(), (rows * warped).sum() / warped.sum()
        assert to_pixels(seen_at(cell_centres((4, 4))[cell : cell + 1], matrix), SIDE, SIDE)[0] == pytest.approx(
            centre, abs=0.1
        )


def test_lines_end_where_a_warped_view_shows_the_cell():
    affine = np.stack([affine_matrix(SIDE, SIDE, rotation=90), STILL])
    pairs = np.zeros((16, 16), bool)
    pairs[3, 3] = True  # upper right, which the turn by 90 degrees brings to the upper left
    picture, _ = draw_pairs(GREY, GREY, pairs, (4, 4), affine)
    colour = distinct_palette(1)[0]
    assert dot(picture, 0, 0) == dot(picture, 0, 3, view=1) == colour
    assert dot(picture, 0, 3) != colour  # on the line, but no end


def test_boxes_and_corners():
    image = np.full((50, 100, 3), 90, np.uint8)
    boxes = np.array([[10, 10, 40, 30], [80, 20, 50, 45]], np.float32)
    picture = draw_boxes(image, boxes, BOTH_STILL, 200)  # 4 times as large
    assert picture.shape == (200, 400, 3)
    orange, blue = (list(colour) for colour in BOX_COLOURS)
    assert picture[80, 39].tolist() == picture[80, 159].tolist() == orange  # left and right of 40..160
    assert picture[39, 100].tolist() == picture[119, 100].tolist() == orange  # top and bottom of 40..120
    assert picture[130, 199].tolist() == picture[130, 319].tolist() == blue
    assert picture[42, 42].tolist() == orange  # the dot: upper left in the view
    assert picture[82, 317].tolist() == blue  # a flipped view starts at the right
    assert picture[83, 204].min() > 80  # where a dot at the left would be
    turned = np.stack([affine_matrix(20, 30, rotation=90), STILL])
    changed = (draw_boxes(image, boxes, turned, 200) != picture).any(-1)
    # The frame of 30 x 20 pixels turned about (25, 20) is 15..35 by 5..35.
    columns, rows = np.flatnonzero(changed[60]), np.flatnonzero(changed[:, 100])
    assert abs(columns[columns < 100] - 59.5).max() <= 4
    assert abs(columns[columns > 100] - 139.5).max() <= 4
    assert abs(rows[rows < 80] - 19.5).max() <= 4
    assert abs(rows[rows > 80] - 139.5).max() <= 4
    assert len(columns[columns < 100]) >= 3
    assert len(rows[rows > 80]) >= 3


def test_cells_behind_the_pixels():
    assert np.array_equal(cells_behind(2, 4, (1, 2), STILL), [[0, 0, 1, 1]] * 2)
    assert np.array_equal(cells_behind(4, 4, (2, 2), affine_matrix(4, 4, translation=(1, 0)))[0], [-1, 0, 0, 1])
    matrix = affine_matrix(32, 32, rotation=30, translation=(5, 2))
    index = cells_behind(32, 32, (32, 32), matrix)
    content = np.arange(32 * 32, dtype=np.float32).reshape(32, 32)
    assert ((warp(np.ones_like(content), matrix) > 0.99) <= (index >= 0)).all()
    inner = warp(np.ones_like(content), matrix) > 0.99
    row, column = np.divmod(index[inner], 32)
    assert np.abs(warp((content // 32), matrix)[inner] - row).max() < 0.51 + 0.05
    assert np.abs(warp((content % 32), matrix)[inner] - column).max() < 0.51 + 0.05


def test_cosines_by_hand():
    features = np.array([[1, 0, -3, 1, 0], [0, 2, 0, 1, 0]], np.float32).reshape(2, 1, 5)
    expected = [[1, 0, -1, 0.5**0.5, 0]]
    assert cosine_map(np.array([5, 0], np.float32), features) == pytest.approx(np.array(expected))
    assert (cosine_map(np.zeros(2), features) == 0).all()


def test_the_chosen_pixel():
    pairs = np.zeros((9, 9), bool)
    assert choose_pixel(pairs, (3, 3)) == 4
    pairs[[0, 7], 2] = True
    assert choose_pixel(pairs, (3, 3)) == 7
    assert choose_pixel(pairs, (3, 3), (0, 2)) == 2
    assert choose_pixel(np.zeros((8, 8), bool), (2, 4)) == 6  # row 1, column 2
    for wrong in ((3, 0), (0, 3), (-1, 0)):
        with pytest.raises(ValueError, match=r'in a map of 3x3 cells expected'):
            choose_pixel(pairs, (3, 3), wrong)


def test_similarity_is_drawn_as_heat():
    online, target = np.zeros((2, 4, 4)), np.zeros((2, 4, 4))
    online[0] = 1
    target[0], target[1] = 3, 4  # cosine 0.6 everywhere, but for
    target[:, 0, 0] = (-2, 0)
    target[:, 3, 3] = (np.nan, 0)
    pairs = np.zeros((16, 16), bool)
    pairs[10, [9, 10]] = True
    valid = np.ones((4, 4), bool)
    valid[3, 0] = False
    picture, caption = draw_similarity(GREY, GREY, online, target, pairs, BOTH_STILL, valid)
    assert caption == 'cell (2, 2): cosine -1.00 to 0.60, pairs 0.60'
    first, second = picture[:, :78], picture[:, 80:]
    expected = np.rint(HEAT * heat_colours(np.array([-1, 0.6])) + (1 - HEAT) * 60)
    assert (second[4:20, 4:20] == expected[0]).all()
    assert (second[2:36, 24:] == expected[1]).all()
    for row, column in ((3, 0), (3, 3)):  # hatched: no image, no number
        cell = second[20 * row + 2 : 20 * row + 18, 20 * column + 2 : 20 * column + 18]
        assert (cell == 0).all(-1).mean() == pytest.approx(0.25, abs=0.05)
        assert (cell == 255).all(-1).mean() == pytest.approx(0.125, abs=0.05)
    # White lines around cell (2, 2) of view 1 and around both its partners, which are one area.
    white = (first == 255).all(-1)
    assert white[40:60, 40].all()
    assert white[40, 40:60].all()
    assert not white[:36].any()
    assert (first[44:56, 44:56] == 60).all()
    white = (second == 255).all(-1)
    assert white[40, 20:60].all()
    assert (second[44:56, 24:56] == expected[1]).all()
    with pytest.raises(ValueError, match=r'pixel=\(4, 0\) found'):
        draw_similarity(GREY, GREY, online, target, pairs, BOTH_STILL, valid, (4, 0))


def test_colours_of_cosines():
    blue, green, red = heat_colours(np.array([-0.6, 0.0, 0.8])).astype(int)
    assert blue.argmax() == 2
    assert green.argmax() == 1
    assert red.argmax() == 0


def test_features_of_one_direction_have_one_component():
    angles = np.linspace(0, 0.5, 9)
    features = np.stack([np.cos(angles), np.sin(angles)]).reshape(2, 3, 3)
    valid = np.ones((3, 3), bool)
    (first, second), share = feature_colours([features, 7 * features[:, ::-1]], [valid, valid])
    assert np.array_equal(first, second[::-1])  # one set of colours, whatever the length of the features
    assert share == pytest.approx(1)
    # The component grows with the sine, its largest weight.
    assert (np.diff(first[..., 0].ravel().astype(int)) > 0).all()
    assert (first[0, 0, 0], first[2, 2, 0]) == (0, 255)
    assert (first[..., 2] == 128).all()  # two channels have no third component


def test_cells_that_are_not_valid_are_black_and_change_nothing():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(8, 4, 4))
    valid = np.ones((4, 4), bool)
    valid[0, :2] = False
    (picture,), share = feature_colours([features], [valid])
    other = features.copy()
    other[:, 0, 0], other[:, 0, 1] = 1e6, np.nan
    (again,), same = feature_colours([other], [valid])
    assert np.array_equal(picture, again)
    assert share == same
    assert (picture[0, :2] == 0).all()
    unit = (features / np.linalg.norm(features, axis=0)).reshape(8, -1)[:, 2:]
    variances = np.sort(np.linalg.eigvalsh(np.cov(unit)))[::-1]
    assert share == pytest.approx(variances[:3].sum() / variances.sum())
    other[:, 3, 3] = np.nan
    assert (feature_colours([other], [valid])[0][0][3, 3] == 0).all()


def test_a_collapsed_encoder_is_grey():
    (picture,), share = feature_colours([np.ones((4, 2, 2), np.float32)], [np.ones((2, 2), bool)])
    assert (picture == 128).all()
    assert share == 0
    assert (feature_colours([np.full((4, 2, 2), np.nan)], [np.ones((2, 2), bool)])[0][0] == 0).all()


@pytest.fixture
def arrays():
    """Two images, view 1 of the first warped, half a view apart."""
    generator = np.random.default_rng(0)
    size = (4, 4)
    affine = np.tile(STILL, (2, 2, 1, 1))
    affine[0, 0] = affine_matrix(16, 16, rotation=45, translation=(2, 0))
    raw = [generator.normal(size=(2, 8, *size)).astype(np.float32) for _ in range(2)]
    back, valid = warp_back(torch.tensor(raw[0]), torch.tensor(affine[:, 0], dtype=torch.float32))
    boxes = torch.tensor([[[0, 0, 80, 80], [40, 0, 120, 80]], [[0, 0, 80, 80], [90, 0, 170, 80]]], dtype=torch.float32)
    views = [np.full((2, 16, 16, 3), value, np.uint8) for value in (100, 200)]
    return {
        'views': views,
        'erased': [one.copy() for one in views],
        'affine': affine,
        'raw': raw,
        'online': [back.numpy(), raw[1]],
        'target': [back.numpy(), raw[1]],
        'valid': [valid.numpy(), None],
        'pairs': positive_pairs(boxes, size, valid=(valid, None)).numpy(),
        'names': ['a.png', 'b.png'],
    }


@pytest.fixture
def drawn(monkeypatch):
    """Draws, and tells titles, panels and the picture."""

    def drawn(arrays, **options):
        kept = {}

        def keep(heading, columns, rows, **kwargs):
            kept.update(heading=heading, columns=columns, rows=rows)
            return real(heading, columns, rows, **kwargs)

        monkeypatch.setattr(module, 'task_sheet', keep)
        kept['picture'] = pixel_picture(**arrays, **{'height': 80, **options})
        return kept

    real = module.task_sheet
    return drawn


def test_a_row_an_image(arrays, drawn):
    found = drawn(arrays, heading='iteration 7')
    assert found['heading'] == ['iteration 7']
    assert [title.partition(',')[0] for title in found['columns']] == [
        'view 1 and view 2', 'features 1', 'features 1', 'features 2', 'cell of view 1'
    ]  # fmt: skip
    captions = [[panel.caption for panel in row] for row in found['rows']]
    count = int(arrays['pairs'][0].sum())
    assert count
    assert captions[0][0] == f'a.png: {count} positive pairs'
    assert captions[1][0] == 'b.png: no overlap: no positive pair'
    assert captions[0][2] == f'{arrays["valid"][0][0].sum()} of 16 cells valid'
    assert captions[1][2] == captions[1][3] == ''
    assert captions[1][4].startswith('cell (2, 2): cosine -')
    assert all(panel.picture.shape == (80, 160, 3) for row in found['rows'] for panel in (row[0], row[4]))
    pictures = [panel.picture for panel in found['rows'][0]]
    # Hatched are the cells of the warped map without image, and those of the map on its way back that it does not show.
    for picture, known in (
        (pictures[1], cells_behind(4, 4, (4, 4), arrays['affine'][0, 0]) >= 0),
        (pictures[2], arrays['valid'][0][0]),
    ):
        assert not known.all()
        for row, column in itertools.product(range(4), repeat=2):
            colours = np.unique(
                picture[20 * row : 20 * row + 20, 20 * column : 20 * column + 20].reshape(-1, 3), axis=0
            )
            assert colours.tolist() == [[0] * 3, [255] * 3] if not known[row, column] else len(colours) == 1
    colours, _ = feature_colours(
        [arrays['raw'][0][0], arrays['online'][0][0], arrays['online'][1][0]],
        [cells_behind(4, 4, (4, 4), arrays['affine'][0, 0]) >= 0, arrays['valid'][0][0], np.ones((4, 4), bool)],
    )
    assert np.array_equal(pictures[3][::20, ::20], colours[2])
    alone = drawn({key: self_or_first(value) for key, value in arrays.items()}, heading='iteration 7')['picture']
    assert found['picture'].shape[1] == alone.shape[1]
    assert np.array_equal(found['picture'][: alone.shape[0] - 80], alone[:-80])


def self_or_first(value):
    """The first image of an array or of those of two views."""
    if isinstance(value, list) and not isinstance(value[0], str):
        return [None if one is None else one[:1] for one in value]
    return value[:1]


def test_erased_views_are_a_column_of_their_own(arrays, drawn):
    arrays['erased'][1][0, :4, :8] = 0
    found = drawn(arrays)
    assert found['columns'][1] == 'what the online encoder sees'
    first, second = (row[1] for row in found['rows'])
    assert first.caption == 'erased: 0% and 12%'
    assert second.caption == 'erased: 0% and 0%'
    assert (first.picture[:18, 82:118] == 0).all()
    assert (first.picture[35:, 82:] == 200).all()
    assert (first.picture[:, :78] == 100).all()


def test_the_pixel_asked_for(arrays, drawn):
    rows = drawn(arrays, pixel=(1, 3))['rows']
    similarity = cosine_map(arrays['online'][0][1, :, 1, 3], arrays['target'][1][1])
    assert rows[1][-1].caption == f'cell (1, 3): cosine {similarity.min():.2f} to {similarity.max():.2f}'
    with pytest.raises(ValueError, match=r'pixel=\(4, 0\) found'):
        pixel_picture(**arrays, pixel=(4, 0))


def test_other_numbers_of_images_are_refused(arrays):
    with pytest.raises(ValueError, match=r'\[1, 2\] images found, one number of at least 1 expected'):
        pixel_picture(**{**arrays, 'names': ['a.png']})
    with pytest.raises(ValueError, match=r'\[0\] images found'):
        pixel_picture(**{key: empty(value) for key, value in arrays.items()})


def empty(value):
    if isinstance(value, list) and not isinstance(value[0], str):
        return [None if one is None else one[:0] for one in value]
    return value[:0]
