"""Noise: its statistics where nothing clips and where it does, CamVid, seeds, errors."""

import math
import re

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose

from mmssl.datasets.transforms.pretext.denoising import DenoisingTarget, add_noise

SIZE = (300, 400, 3)


def normal_share(value: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * (1 + math.erf(value / 2**0.5))


@pytest.mark.parametrize('std', [1.0, 2.0, 10.0, 25.0])
def test_statistics_in_the_middle(std):
    """Mean 128 and variance std**2 + 1/12 of rounding; independent in pixels and channels; normal quantiles."""
    noisy = add_noise(np.full(SIZE, 128, np.uint8), std, np.random.default_rng(0))
    error = noisy.astype(float) - 128
    assert noisy.dtype == np.uint8
    expected = (std**2 + 1 / 12) ** 0.5
    assert error.mean() == pytest.approx(0, abs=5 * expected / error.size**0.5)
    assert error.std() == pytest.approx(expected, rel=0.006)
    shifted = [
        np.corrcoef(error[:-1].ravel(), error[1:].ravel()),
        np.corrcoef(error[:, :-1].ravel(), error[:, 1:].ravel()),
    ]
    channels = np.corrcoef(error.reshape(-1, 3).T)
    assert max(abs(shifted[0][0, 1]), abs(shifted[1][0, 1]), np.abs(channels - np.eye(3)).max()) < 0.015
    for level in (-1, 0, 1, 2):
        edge = round(level * std) + 0.5  # whole levels up to this one
        assert (error < edge).mean() == pytest.approx(normal_share(edge / std), abs=0.005)


@pytest.mark.parametrize('std', [10.0, 25.0, 50.0])
@pytest.mark.parametrize(('level', 'towards'), [(0, 1), (255, -1)])
def test_clipping_at_the_ends(level, towards, std):
    """A normal value cut at its mean: mean s / sqrt(2 pi), mean square s**2 / 2; half of the values stay."""
    noisy = add_noise(np.full(SIZE, level, np.uint8), std, np.random.default_rng(1)).astype(float)
    error = (noisy - level) * towards
    assert error.min() == 0
    assert error.mean() == pytest.approx(std / (2 * np.pi) ** 0.5, rel=0.01)
    assert np.square(error).mean() == pytest.approx(std**2 / 2, rel=0.015)
    assert (error == 0).mean() == pytest.approx(normal_share(0.5 / std), abs=0.005)


def test_values_by_hand():
    """The same draws in float64, rounded half to even and clipped, one value after the other."""
    image = np.random.default_rng(3).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    before = image.copy()
    draws = np.random.default_rng(4).standard_normal(image.shape, dtype=np.float32)
    noisy = add_noise(image, 40.0, np.random.default_rng(4))
    expected = [
        min(max(round(float(v) + 40.0 * float(d)), 0), 255) for v, d in zip(image.flat, draws.flat, strict=True)
    ]
    assert noisy.ravel().tolist() == expected
    assert {0, 255} <= set(expected)
    assert np.array_equal(image, before)
    assert np.array_equal(add_noise(image, 0.0, np.random.default_rng(4)), image)


def test_the_sample(camvid_root):
    """On a photograph the error is near the deviation, below it by what is clipped."""
    image = cv2.imread(str(sorted((camvid_root / 'train').glob('*.png'))[5]))
    results = DenoisingTarget(std=20)({'img': image.copy(), 'ori_shape': (1, 1), 'flip': True})
    assert np.array_equal(results['gt_image'], image.transpose(2, 0, 1))
    assert results['gt_image'].dtype == results['img'].dtype == np.uint8
    error = results['img'].astype(float) - image
    inner = (image > 80) & (image < 175)
    assert np.square(error[inner]).mean() ** 0.5 == pytest.approx((400 + 1 / 12) ** 0.5, rel=0.01)
    assert np.square(error).mean() ** 0.5 < 20
    assert results['img_shape'] == results['ori_shape'] == image.shape[:2]
    assert (results['flip'], results['scale_factor']) == (False, (1.0, 1.0))


def test_a_range_of_deviations():
    """Uniform from 0 to 30: the mean of 400 images is 15, and no image is beyond."""
    target, image = DenoisingTarget(std=(0, 30), seed=0), np.full((64, 64, 3), 128, np.uint8)
    measured = [(target({'img': image, 'sample_idx': i})['img'].astype(float) - 128).std() for i in range(400)]
    assert max(measured) < 31
    assert min(measured) < 1
    assert np.mean(measured) == pytest.approx(15, abs=5 * 30 / 12**0.5 / 20)
    assert np.std(measured) == pytest.approx(30 / 12**0.5, rel=0.1)


def test_a_seed_asks_the_same_question_again():
    """Held-out images: the same at every epoch, unlike each other. In training: anew each time, as numpy is seeded."""
    image = np.full((16, 24, 3), 128, np.uint8)

    def ask(transform, index):
        return transform({'img': image.copy(), 'sample_idx': index})['img']

    target = DenoisingTarget(std=(5, 50), seed=5)
    assert np.array_equal(ask(target, 1), ask(target, 1))
    assert not np.array_equal(ask(target, 1), ask(target, 2))
    assert not np.array_equal(ask(target, 1), ask(DenoisingTarget(std=(5, 50), seed=6), 1))
    draws = []
    for _ in range(2):
        np.random.seed(0)
        draws += [ask(DenoisingTarget(), 1), ask(DenoisingTarget(), 1)]
    assert not np.array_equal(draws[0], draws[1])
    assert np.array_equal(draws[0], draws[2])
    assert np.array_equal(draws[1], draws[3])


def test_packed_as_pixel_data(mmseg_scope):
    from mmseg.registry import TRANSFORMS

    image = np.full((8, 16, 3), 100, np.uint8)
    steps = [
        {'type': 'mmssl.DenoisingTarget', 'std': [1, 9.5]},
        {'type': 'mmssl.PackPretextInputs', 'pixel_keys': ('gt_image',)},
    ]
    packed = Compose([TRANSFORMS.build(step) for step in steps])({'img': image, 'img_path': 'a.png'})
    assert packed['data_samples'].gt_image.data.unique().tolist() == [100]
    assert packed['inputs'].dtype == torch.uint8
    assert len(packed['inputs'].unique()) > 2


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'std': 0}, 'std=0, expected grey levels above 0'),
        ({'std': (0, 0)}, 'std=(0, 0), expected grey levels above 0'),
        ({'std': (-1, 5)}, 'std=(-1, 5), expected grey levels above 0'),
        ({'std': (5, 1)}, 'std=(5, 1), expected a number or a pair'),
        ({'std': float('inf')}, 'std=inf, expected a number or a pair'),
        ({'std': None}, 'std=None, expected a number or a pair'),
        ({'seed': 1.5}, 'seed is 1.5'),
    ],
)
def test_options_that_are_none(settings, message):
    with pytest.raises(ValueError, match='DenoisingTarget: ' + re.escape(message)):
        DenoisingTarget(**settings)


def test_grey_files_are_refused():
    with pytest.raises(ValueError, match=r'a\.png: DenoisingTarget found an image of shape \(4, 6, 1\)'):
        DenoisingTarget()({'img': np.zeros((4, 6, 1), np.uint8), 'img_path': 'a.png'})
