"""Lab to RGB, clusters as greys, nearest views: known colours, scikit-image, slow references."""

import cv2
import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from mmssl.visualization.pretext_pictures import cluster_levels, cluster_picture, lab_to_rgb, nearest_views


@pytest.mark.parametrize(
    ('lab', 'rgb'),
    [
        # sRGB under D65, as colour tables print them
        ((53.24, 80.09, 67.20), (255, 0, 0)),
        ((87.73, -86.18, 83.18), (0, 255, 0)),
        ((97.14, -21.55, 94.48), (255, 255, 0)),
        ((100, 0, 0), (255, 255, 255)),
        ((0, 0, 0), (0, 0, 0)),
        ((50.03, 0, 0), (119, 119, 119)),
    ],
)
def test_known_colours(lab, rgb):
    lightness = np.full((2, 3), round(2.55 * lab[0]), np.uint8)
    picture = lab_to_rgb(lightness, np.broadcast_to(np.array(lab[1:])[:, None, None], (2, 2, 3)))
    assert (picture.shape, picture.dtype) == ((2, 3, 3), np.uint8)
    assert picture[1, 2].astype(int) == pytest.approx(rgb, abs=3)  # L is rounded to 0.4 units


def test_a_photograph_comes_back(camvid_root):
    image = cv2.imread(str(camvid_root / 'train' / '0001TP_006690.png'))[..., ::-1]
    lab = rgb2lab(image)
    lightness, ab = np.rint(lab[..., 0] * 2.55).astype(np.uint8), lab[..., 1:].transpose(2, 0, 1)
    assert np.abs(lab_to_rgb(lightness, ab).astype(int) - image).max() <= 2  # rounding of L
    rounded = np.rint(ab).astype(np.int8)
    expected = np.rint(255 * lab2rgb(np.dstack([lightness / 2.55, *rounded])))
    assert np.abs(lab_to_rgb(lightness, rounded) - expected).max() <= 1


def slow_rgb(lightness, a, b):
    """The conversion of CIE 15 and IEC 61966-2-1 for one pixel, clipped channel by channel."""

    def inverse(value):
        return value**3 if value > 6 / 29 else 3 * (6 / 29) ** 2 * (value - 4 / 29)

    middle = (lightness + 16) / 116
    xyz = [0.950456 * inverse(middle + a / 500), inverse(middle), 1.088754 * inverse(middle - b / 200)]
    matrix = [
        [3.240479, -1.53715, -0.498535],
        [-0.969256, 1.875991, 0.041556],
        [0.055648, -0.204043, 1.057311],
    ]
    linear = np.clip(np.array(matrix) @ xyz, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_colours_beyond_the_screen_are_clipped():
    generator = np.random.default_rng(0)
    lightness = generator.integers(0, 256, (8, 8)).astype(np.uint8)
    ab = generator.uniform(-128, 127, (2, 8, 8))
    expected = [[slow_rgb(lightness[i, j] / 2.55, *ab[:, i, j]) for j in range(8)] for i in range(8)]
    assert (np.array(expected) == 0).any()
    assert (np.array(expected) > 254.9).any()
    assert np.abs(lab_to_rgb(lightness, ab) - expected).max() <= 1
    wild = np.full((2, 8, 8), 1e6)
    assert np.array_equal(lab_to_rgb(lightness, wild), lab_to_rgb(lightness, np.full((2, 8, 8), 127)))


def test_bad_colours_are_refused():
    with pytest.raises(ValueError, match=r'L \(2, 3\) and ab \(2, 3, 2\)'):
        lab_to_rgb(np.zeros((2, 3), np.uint8), np.zeros((2, 3, 2)))
    with pytest.raises(ValueError, match='not finite'):
        lab_to_rgb(np.zeros((1, 1), np.uint8), np.full((2, 1, 1), np.nan))


def test_clusters_by_hand():
    assert cluster_levels(4).tolist() == [20, 88, 157, 225]  # 20 + 205 / 3 * (0, 1, 2, 3)
    picture = cluster_picture(np.array([[0, 1], [3, 2]], np.uint8), 4)
    assert picture[..., 0].tolist() == [[20, 88], [225, 157]]
    assert (picture == picture[..., :1]).all()
    padded = cluster_picture(np.full((1, 4), 255, np.uint8), 2)
    assert padded[0, :3, 0].tolist() == [0, 0, 255]  # stripes
    with pytest.raises(ValueError, match='the id 4 found'):
        cluster_picture(np.array([[4]], np.uint8), 4)


def test_nearest_views_by_hand():
    # On the unit circle first views at 0, 90, 95 degrees, second ones at 10, 101, 200, of different lengths.
    def at(degrees, length):
        return length * np.cos(np.radians(degrees)), length * np.sin(np.radians(degrees))

    first = np.array([at(0, 1), at(90, 5), at(95, 2)])
    second = np.array([at(10, 3), at(101, 1), at(200, 1)])
    nearest, similarities, own = nearest_views(first, second)
    # numbers 0 to 5: 0, 90, 95, 10, 101, 200 degrees
    assert nearest.tolist() == [[3, 0], [2, 2], [1, 4]]
    assert own == pytest.approx(np.cos(np.radians([10, 11, 105])))
    expected = np.cos(np.radians([[10, 10], [5, 6], [5, 99]]))
    assert similarities == pytest.approx(expected)


def test_nearest_views_against_a_loop():
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=(2, 7, 5))
    nearest, similarities, _ = nearest_views(first, second)
    views = [*first, *second]
    for image in range(7):
        for view in range(2):
            me = image + 7 * view
            best, closest = max(
                (np.dot(views[me], other) / np.linalg.norm(views[me]) / np.linalg.norm(other), index)
                for index, other in enumerate(views)
                if index != me
            )
            assert nearest[image, view] == closest
            assert similarities[image, view] == pytest.approx(best)
    with pytest.raises(ValueError, match=r'twice \(N, D\)'):
        nearest_views(first, second[:3])
