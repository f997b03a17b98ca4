"""Affine maps of a view: matrices by hand and by affine_grid, images there and back, ranges."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmssl.datasets.transforms.affine_view import AffineView, affine_matrix, warp
from mmssl.models.selfsup.warp_back import warp_back

S = 64


def coordinates(height: int = S, width: int = S) -> np.ndarray:
    """Float image of pixel centres (x, y, 1), continuous, from 0 to the sides."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x + 0.5, y + 0.5, np.ones_like(x)], axis=-1)


def views(size: int = S) -> dict:
    y, x = np.mgrid[:size, :size]
    view = np.stack([x + 1, y + 1, np.full_like(x, 200)], axis=-1).astype(np.uint8)
    affine = np.tile(np.eye(2, 3, dtype=np.float32), (2, 1, 1))
    return {'img': [view, view.copy()], 'affine': affine, 'boxes': np.zeros((2, 4), np.float32), 'img_path': 'a.jpg'}


def test_quarter_turns_are_numpys():
    image = np.random.default_rng(0).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    for turns in (1, 2, 3):
        assert np.array_equal(warp(image, affine_matrix(7, 7, rotation=90 * turns)), np.rot90(image, turns))
    # What is right of the centre of the turned view was below it: x' = (1, 0) comes from (0, 1).
    assert affine_matrix(7, 7, rotation=90) == pytest.approx(np.array([[0, -1, 0], [1, 0, 0]]), abs=1e-15)


def test_shifts_by_hand():
    """Two pixels to the right and one down, of 4: a half of the side is 1 in normalised coordinates."""
    image = np.arange(1, 17, dtype=np.uint8).reshape(4, 4)
    matrix = affine_matrix(4, 4, translation=(2, 1))
    assert matrix.tolist() == [[1, 0, -1], [0, 1, -0.5]]
    assert warp(image, matrix).tolist() == [[0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 5, 6], [0, 0, 9, 10]]
    # Of a wide image, shares of each side.
    assert affine_matrix(4, 10, translation=(2, 1)).tolist() == [[1, 0, -0.4], [0, 1, -0.5]]


def test_shear_by_hand():
    """45 degrees along x: what lies a pixel lower moves a pixel further to the right, about the centre."""
    image = np.zeros((3, 5), np.uint8)
    image[:, 2] = [10, 20, 30]
    along_x = [[0, 10, 0, 0, 0], [0, 0, 20, 0, 0], [0, 0, 0, 30, 0]]
    assert warp(image, affine_matrix(3, 5, shear=(45, 0))).tolist() == along_x
    lying = np.ascontiguousarray(image.T)
    assert warp(lying, affine_matrix(5, 3, shear=(0, 45))).tolist() == np.transpose(along_x).tolist()


def test_maps_follow_in_the_order_of_the_formula():
    """Shear x, shear y, turn, shift: point by point."""
    rotation, (right, down), (s_x, s_y) = 25.0, (5.0, -3.0), (8.0, -12.0)
    matrix = affine_matrix(40, 60, rotation=rotation, translation=(right, down), shear=(s_x, s_y))
    r = math.radians(rotation)
    for px, py in ((0.0, 0.0), (12.0, 3.0), (-7.0, 11.0)):  # pixels from the centre
        x, y = px + math.tan(math.radians(s_x)) * py, py
        x, y = x, y + math.tan(math.radians(s_y)) * x
        x, y = math.cos(r) * x + math.sin(r) * y, -math.sin(r) * x + math.cos(r) * y
        x, y = x + right, y + down
        back = matrix @ [x / 30, y / 20, 1]
        assert back == pytest.approx([px / 30, py / 20], abs=1e-12)


OPTIONS = {'rotation': 30, 'translation': 10, 'shear_x': 10, 'shear_y': 10}


def all_maps(height: int, width: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    maps = [affine_matrix(height, width, rotation=30), affine_matrix(height, width, translation=(7.3, -4.1))]
    for rotation, right, down, s_x, s_y in rng.uniform((-45, -9, -9, -10, -10), (45, 9, 9, 10, 10), (8, 5)):
        maps.append(affine_matrix(height, width, rotation=rotation, translation=(right, down), shear=(s_x, s_y)))
    return maps


@pytest.mark.parametrize(('height', 'width'), [(64, 64), (48, 80), (33, 21)])
def test_the_warp_is_that_of_affine_grid(height, width):
    """The matrix means to torch what the warp did with the image."""
    for matrix in all_maps(height, width):
        image = coordinates(height, width)
        theta = torch.from_numpy(matrix)[None].float()
        grid = F.affine_grid(theta, (1, 3, height, width), align_corners=False)
        expected = F.grid_sample(torch.from_numpy(image.transpose(2, 0, 1))[None], grid, align_corners=False)
        assert np.abs(warp(image, matrix) - expected[0].permute(1, 2, 0).numpy()).max() < 0.01  # of 80


def test_a_warped_pixel_shows_where_the_matrix_says():
    for matrix in all_maps(S, S):
        image = warp(coordinates(), matrix)
        whole = image[..., 2] > 1 - 1e-6
        assert whole.mean() > 0.5
        x = (np.mgrid[:S, :S][::-1] + 0.5) * 2 / S - 1
        source = np.einsum('ij,jyx->yxi', matrix[:, :2], x) + matrix[:, 2]
        assert np.abs(image[..., :2] - (source + 1) * S / 2)[whole].max() < 0.01


def test_there_and_back_within_a_hundredth_of_a_pixel():
    for matrix in all_maps(S, S):
        there = torch.from_numpy(warp(coordinates(), matrix).transpose(2, 0, 1).copy())[None]
        back, mask = warp_back(there, torch.from_numpy(matrix)[None].float())
        error = (back[0] - torch.from_numpy(coordinates()).permute(2, 0, 1)).abs()
        # Away from the border of the view and of the frame, where bilinear neighbours are black or missing.
        inner = mask.clone()[:, None].float()
        inner = -F.max_pool2d(-F.pad(inner, (2, 2, 2, 2), value=0), 5, stride=1)[0, 0] > 0
        assert inner.float().mean() > 0.4
        assert error[:, inner].max() < 0.01


def test_one_view_alone_is_warped():
    for view in (0, 1):
        before = views()
        results = AffineView(view=view, **OPTIONS)(views())
        matrix = affine_matrix(S, S, rotation=30, translation=(10, 10), shear=(10, 10))
        assert np.array_equal(results['affine'][view], matrix.astype(np.float32))
        assert results['affine'].dtype == np.float32
        assert np.array_equal(results['img'][view], warp(before['img'][view], matrix))
        assert np.array_equal(results['img'][1 - view], before['img'][1 - view])
        assert np.array_equal(results['affine'][1 - view], np.eye(2, 3))
        # Black, all of it or nothing but for the seam: red is 200 wherever there is image.
        red = results['img'][view][..., 2]
        assert 0.1 < (red == 0).mean() < 0.5
        assert ((red == 0) | (red == 200)).mean() > 0.9


def test_ranges_are_filled():
    np.random.seed(0)
    transform = AffineView(rotation=(-45, 45), translation=(-100, 100), shear_x=(-10, 10))
    drawn = [transform.draw() for _ in range(1000)]
    columns = {
        45: [one['rotation'] for one in drawn],
        100: np.array([one['translation'] for one in drawn]).T,
        10: [one['shear'][0] for one in drawn],
    }
    for limit, values in columns.items():
        for column in np.atleast_2d(values):
            assert -limit <= column.min() < -0.98 * limit
            assert 0.98 * limit < column.max() <= limit
            assert abs(column.mean()) < 0.08 * limit  # 0.577 / sqrt(1000) = 0.018
    right, down = columns[100]
    assert abs(np.corrcoef(right, down)[0, 1]) < 0.13
    assert {one['shear'][1] for one in drawn} == {0.0}


def test_fixed_values_and_the_seed():
    transform = AffineView(**OPTIONS)
    drawn = transform.draw()
    assert drawn == {'rotation': 30.0, 'translation': (10.0, 10.0), 'shear': (10.0, 10.0)}
    transform = AffineView(rotation=(-45, 45))
    np.random.seed(5)
    first, other = transform(views()), transform(views())
    np.random.seed(5)
    again = transform(views())
    assert np.array_equal(first['affine'], again['affine'])
    assert np.array_equal(first['img'][0], again['img'][0])
    assert not np.array_equal(first['affine'], other['affine'])


@pytest.mark.parametrize(
    ('options', 'line'),
    [
        ({'rotation': 30, 'view': 2}, 'view is 2'),
        ({'rotation': 30, 'view': True}, 'view is True'),
        ({'rotation': (45, -45)}, r'rotation is \(45, -45\)'),
        ({'rotation': 200}, 'rotation is 200'),
        ({'translation': (1, 2, 3)}, r'translation is \(1, 2, 3\)'),
        ({'translation': math.nan}, 'translation is nan'),
        ({'translation': (0, math.inf)}, r'translation is \(0, inf\)'),
        ({'shear_x': 90}, 'shear_x is 90'),
        ({'shear_y': (-95, 0)}, r'shear_y is \(-95, 0\)'),
        ({}, 'rotation, translation, shear_x, shear_y are all 0'),
        ({'rotation': (0, 0), 'shear_x': 0}, 'rotation, translation, shear_x, shear_y are all 0'),
    ],
)
def test_bad_options(options, line):
    with pytest.raises(ValueError, match=f'^AffineView: {line}, expected'):
        AffineView(**options)


def test_bad_samples():
    with pytest.raises(
        ValueError, match='^a.jpg: AffineView found a view of 64x64, expected more than translation=100 '
    ):
        AffineView(translation=(-100, 5))(views())
    with pytest.raises(ValueError, match='^a.jpg: AffineView found view 0 warped before, expected it once'):
        AffineView(rotation=30)(AffineView(rotation=30)(views()))
    without = views()
    del without['affine']
    with pytest.raises(
        ValueError, match='^a.jpg: AffineView found no two views with coordinates, expected mmssl.Pixel'
    ):
        AffineView(rotation=30)(without)
