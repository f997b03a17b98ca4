"""A square erased: by hand, sides and places over many draws, fills, CamVid, seeds, errors."""

import re

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose

from mmssl.datasets.transforms.pretext.inpainting import InpaintingTarget, draw_square, erase_square


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_square_by_hand():
    image = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    before = image.copy()
    erased, mask = erase_square(image, (1, 2, 2), (200, 201, 202))
    assert mask.tolist() == [[[False] * 4, [False, False, True, True], [False, False, True, True]]]
    assert erased[0].tolist() == before[0].tolist()
    assert erased[1].tolist() == [[12, 13, 14], [15, 16, 17], [200, 201, 202], [200, 201, 202]]
    assert erased[2].tolist() == [[24, 25, 26], [27, 28, 29], [200, 201, 202], [200, 201, 202]]
    assert np.array_equal(image, before)
    picture = np.arange(100, 112, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(erase_square(image, (0, 1, 2), picture)[0][:2, 1:3], picture)


@pytest.mark.parametrize(
    ('side', 'sides'),
    [((5, 5), [5]), ((3, 6), [3, 4, 5, 6]), ((0.25, 0.25), [3]), ((0.25, 0.5), [3, 4, 5, 6]), ((0.01, 0.01), [1])],
)
def test_sides_and_places_are_uniform(side, sides):
    """A 12x20 image: pixels as they are, shares of 12; every place that fits is as likely as the others."""
    generator = np.random.default_rng(0)
    draws = [draw_square(12, 20, side, generator) for _ in range(8000)]
    assert sorted({drawn for _, _, drawn in draws}) == sides
    if isinstance(side[0], int):
        counts = np.array([sum(drawn == one for _, _, drawn in draws) for one in sides])
        assert np.abs(counts / 8000 - 1 / len(sides)).max() < 0.02
    for one in sides:
        places = np.array([draw[:2] for draw in draws if draw[2] == one])
        for axis, length in ((0, 12), (1, 20)):
            number = length - one + 1
            counts = np.bincount(places[:, axis], minlength=number)
            assert len(counts) == number
            # five standard deviations of a count
            expected = len(places) / number
            assert np.abs(counts - expected).max() < 5 * expected**0.5 + 1


def test_the_whole_shorter_side():
    generator = np.random.default_rng(0)
    squares = {draw_square(4, 6, (1.0, 1.0), generator) for _ in range(50)}
    assert squares == {(0, 0, 4), (0, 1, 4), (0, 2, 4)}
    assert draw_square(4, 4, (4, 4), generator) == (0, 0, 4)


@pytest.mark.parametrize(('fill', 'colour'), [('mean', (104, 116, 124)), ('black', (0, 0, 0)), ((1, 2, 3), (1, 2, 3))])
def test_colours(fill, colour):
    image = noise(16, 24)
    results = InpaintingTarget(side=5, fill=fill)({'img': image.copy(), 'ori_shape': (1, 1), 'flip': True})
    mask = results['gt_erased'][0]
    assert mask.sum() == 25
    assert (results['img'][mask] == colour).all()
    assert np.array_equal(results['img'][~mask], image[~mask])
    assert np.array_equal(results['gt_image'], image.transpose(2, 0, 1))
    assert (results['gt_image'].dtype, results['gt_erased'].dtype) == (np.uint8, bool)
    assert results['img_shape'] == results['ori_shape'] == (16, 24)
    assert (results['flip'], results['scale_factor']) == (False, (1.0, 1.0))


def test_the_mean_colour_is_zero_behind_the_preprocessor():
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    colour = np.array(InpaintingTarget().colour)[::-1]
    assert np.abs((colour - mean) / std).max() < 0.01


def test_noise_is_uniform():
    results = InpaintingTarget(side=200, fill='noise', seed=0)({'img': noise(200, 200), 'sample_idx': 0})
    values = results['img'].astype(float)
    assert values.mean() == pytest.approx(127.5, abs=1)  # 73.9 / sqrt(120000) = 0.21
    assert values.std() == pytest.approx((256**2 - 1) ** 0.5 / 12**0.5, rel=0.01)
    assert np.corrcoef(values[..., 0].ravel(), values[..., 1].ravel())[0, 1] == pytest.approx(0, abs=0.03)


def test_a_photograph_with_its_hole_closed(camvid_root):
    image = cv2.imread(str(camvid_root / 'val' / sorted(p.name for p in (camvid_root / 'val').iterdir())[0]))
    results = InpaintingTarget(seed=3)({'img': image.copy(), 'sample_idx': 7})
    rows, columns = np.nonzero(results['gt_erased'][0])
    side = np.ptp(rows) + 1
    assert side == np.ptp(columns) + 1 == len(rows) ** 0.5
    assert 0.25 * 360 <= side <= 0.5 * 360
    assert np.array_equal(
        np.where(results['gt_erased'], results['gt_image'], 0)[:, rows, columns].T, image[rows, columns]
    )
    closed = np.where(results['gt_erased'][0][..., None], image, results['img'])
    assert np.array_equal(closed, image)


def test_a_seed_asks_the_same_question_again():
    """Held-out images: the same at every epoch, unlike each other. In training: anew each time, as numpy is seeded."""
    target, image = InpaintingTarget(fill='noise', seed=5), noise(40, 60)

    def ask(transform, index):
        return transform({'img': image.copy(), 'sample_idx': index})['img']

    assert np.array_equal(ask(target, 1), ask(target, 1))
    assert not np.array_equal(ask(target, 1), ask(target, 2))
    assert not np.array_equal(ask(target, 1), ask(InpaintingTarget(fill='noise', seed=6), 1))
    draws = []
    for _ in range(2):
        np.random.seed(0)
        draws += [ask(InpaintingTarget(), 1), ask(InpaintingTarget(), 1)]
    assert not np.array_equal(draws[0], draws[1])
    assert np.array_equal(draws[0], draws[2])
    assert np.array_equal(draws[1], draws[3])


def test_packed_as_pixel_data(mmseg_scope):
    from mmseg.registry import TRANSFORMS

    image = noise(8, 16)
    steps = [
        {'type': 'mmssl.InpaintingTarget', 'side': [2, 4], 'fill': [0, 0, 0]},
        {'type': 'mmssl.PackPretextInputs', 'pixel_keys': ('gt_image', 'gt_erased')},
    ]
    packed = Compose([TRANSFORMS.build(step) for step in steps])({'img': image, 'img_path': 'a.png'})
    sample = packed['data_samples']
    assert torch.equal(sample.gt_image.data, torch.from_numpy(image).permute(2, 0, 1))
    assert sample.gt_erased.data.dtype == torch.bool
    assert torch.equal(packed['inputs'], sample.gt_image.data * ~sample.gt_erased.data)
    assert sample.metainfo['ori_shape'] == (8, 16)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'side': 0}, 'side=0, expected whole pixels from 1, or shares'),
        ({'side': 0.0}, 'side=0.0, expected whole pixels'),
        ({'side': 1.5}, 'side=1.5, expected whole pixels'),
        ({'side': (0.5, 2)}, 'side=(0.5, 2), expected whole pixels'),
        ({'side': (0.5, 0.25)}, 'side=(0.5, 0.25), expected a number or a pair (lowest, highest)'),
        ({'side': (1, 2, 3)}, 'side=(1, 2, 3), expected a number or a pair'),
        ({'side': True}, 'side=True, expected a number or a pair'),
        ({'side': '8'}, "side='8', expected a number or a pair"),
        ({'side': float('nan')}, 'side=nan, expected a number or a pair'),
        ({'fill': 'white'}, "fill='white', expected one of ['mean', 'black', 'noise'] or three whole numbers"),
        ({'fill': (0, 0)}, 'fill=(0, 0), expected one of'),
        ({'fill': (0, 0, 256)}, 'fill=(0, 0, 256), expected one of'),
        ({'fill': ()}, 'fill=(), expected one of'),
        ({'seed': -1}, 'seed is -1'),
    ],
)
def test_options_that_are_none(settings, message):
    with pytest.raises(ValueError, match='InpaintingTarget: ' + re.escape(message)):
        InpaintingTarget(**settings)


def test_squares_and_images_that_do_not_fit():
    with pytest.raises(ValueError, match='a.png: InpaintingTarget: a square of 9 pixels found in an image of 8x16'):
        InpaintingTarget(side=(2, 9))({'img': noise(8, 16), 'img_path': 'a.png'})
    with pytest.raises(ValueError, match='a square of 1.5 of the shorter side found'):
        draw_square(8, 16, (0.5, 1.5), np.random.default_rng(0))
    with pytest.raises(ValueError, match=r'a\.png: InpaintingTarget found an image of shape \(4, 6, 1\)'):
        InpaintingTarget()({'img': np.zeros((4, 6, 1), np.uint8), 'img_path': 'a.png'})
    with pytest.raises(ValueError, match='no sample_idx'):
        InpaintingTarget(seed=0)({'img': noise(8, 16)})
