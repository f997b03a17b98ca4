"""Colour jitter: torchvision's operations on real images, ranges, order, probability."""

import cv2
import numpy as np
import pytest
import torch
from torchvision.transforms import functional

from mmssl.datasets.transforms import color_jitter
from mmssl.datasets.transforms.color_jitter import RandomColorJitter


@pytest.fixture(scope='module')
def images(coco128_root):
    real = [cv2.imread(str(path)) for path in sorted(coco128_root.rglob('*.jpg'))[:4]]
    # Noise has every saturation and hue.
    return [*real, np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)]


def of_torchvision(name: str, image: np.ndarray, amount: float) -> np.ndarray:
    tensor = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(2, 0, 1)
    return getattr(functional, name)(tensor, amount).permute(1, 2, 0).numpy()[..., ::-1]


CASES = [('adjust_brightness', factor, 0) for factor in (0.0, 0.3, 1.0, 1.4, 2.0)]
CASES += [('adjust_contrast', factor, 1) for factor in (0.0, 0.3, 1.0, 1.4, 2.0)]
CASES += [('adjust_saturation', factor, 2) for factor in (0.0, 0.3, 1.0, 1.4, 2.0)]
CASES += [('adjust_hue', shift, 1) for shift in (-0.5, -0.31, -0.1, -0.003, 0.0, 0.02, 0.25, 0.5)]


@pytest.mark.parametrize(('name', 'amount', 'levels'), CASES)
def test_operations_are_those_of_torchvision(images, name, amount, levels):
    for image in images:
        before = image.copy()
        changed = getattr(color_jitter, name)(image, amount)
        assert changed.dtype == np.uint8
        error = np.abs(changed.astype(int) - of_torchvision(name, image, amount).astype(int))
        assert error.max() <= levels
        assert np.array_equal(image, before)


def test_by_hand():
    image = np.uint8([[[0, 0, 200], [0, 100, 0]]])  # red 200, green 100
    assert color_jitter.adjust_brightness(image, 1.5).tolist() == [[[0, 0, 255], [0, 150, 0]]]
    # A third of the circle turns red to green and green to blue.
    assert color_jitter.adjust_hue(image, 1 / 3).tolist() == [[[0, 200, 0], [100, 0, 0]]]
    # Grey values 60 (59.8) and 59 (58.7), with the mean 59.5, rounded to even.
    assert color_jitter.adjust_saturation(image, 0).tolist() == [[[60] * 3, [59] * 3]]
    assert color_jitter.adjust_contrast(image, 0).tolist() == [[[60] * 3] * 2]


def grey(level: int) -> dict:
    return {'img': np.full((2, 2, 3), level, np.uint8)}


def test_factors_fill_the_range():
    """Brightness of grey 100 reads the factor; 400 draws of [0.6, 1.4] have mean 1 and reach both ends."""
    np.random.seed(0)
    levels = np.array([RandomColorJitter(brightness=0.4)(grey(100))['img'][0, 0, 0] for _ in range(400)])
    assert 59 <= levels.min() < 64
    assert 136 < levels.max() <= 140
    assert abs(levels.mean() - 99.5) < 4  # truncated as torchvision's; the deviation of the mean is 1.2


@pytest.mark.parametrize(
    ('options', 'ranges'),
    [
        ({'brightness': 0.4, 'hue': 0.1}, {'brightness': (0.6, 1.4), 'hue': (-0.1, 0.1)}),
        ({'contrast': 3, 'saturation': (0.5, 2)}, {'contrast': (0, 4), 'saturation': (0.5, 2)}),
        ({'hue': (-0.2, 0.4)}, {'hue': (-0.2, 0.4)}),
    ],
)
def test_ranges(options, ranges):
    jitter = RandomColorJitter(**options)
    for name, expected in ranges.items():
        assert jitter.ranges[name] == pytest.approx(expected)


def test_order_is_random():
    """Twice as bright, then half contrast gives another grey than the other way round."""
    image = np.uint8([[[200] * 3, [0] * 3]])
    jitter = RandomColorJitter(brightness=(2, 2), contrast=(0.5, 0.5))
    np.random.seed(0)
    outcomes = {tuple(jitter({'img': image})['img'][0, :, 0].tolist()) for _ in range(30)}
    # (255, 0) has the mean 128 (127.5 to even) and becomes (191, 64); (200, 0) becomes (150, 50), doubled (255, 100).
    assert outcomes == {(191, 64), (255, 100)}


def test_probability():
    np.random.seed(0)
    changed = [RandomColorJitter(brightness=(0.5, 0.5), prob=0.3)(grey(100))['img'][0, 0, 0] == 50 for _ in range(400)]
    assert 0.2 < np.mean(changed) < 0.4
    assert RandomColorJitter(brightness=(0.5, 0.5), prob=0)(grey(100))['img'][0, 0, 0] == 100


def test_nothing_asked_for_changes_nothing(images):
    assert np.array_equal(RandomColorJitter()({'img': images[0]})['img'], images[0])


def test_seed_of_numpy_decides(images):
    jitter = RandomColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    np.random.seed(1)
    first, second = jitter({'img': images[0]})['img'], jitter({'img': images[0]})['img']
    np.random.seed(1)
    assert np.array_equal(jitter({'img': images[0]})['img'], first)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ('options', 'line'),
    [
        ({'brightness': -0.1}, 'brightness is -0.1'),
        ({'contrast': (2, 1)}, r'contrast is \(2, 1\)'),
        ({'saturation': (1, 2, 3)}, r'saturation is \(1, 2, 3\)'),
        ({'hue': 0.6}, 'hue is 0.6'),
        ({'hue': -0.1}, 'hue is -0.1'),
        ({'prob': 1.1}, 'prob is 1.1'),
    ],
)
def test_bad_options(options, line):
    with pytest.raises(ValueError, match=f'RandomColorJitter: {line}, expected'):
        RandomColorJitter(**options)


def test_bad_image():
    with pytest.raises(ValueError, match=r'a.png: RandomColorJitter found an image of shape \(2, 2\)'):
        RandomColorJitter()({'img': np.zeros((2, 2), np.uint8), 'img_path': 'a.png'})
