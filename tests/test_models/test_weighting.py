"""Weights of the unlabelled loss, by hand (S2, equations 2.13 to 2.15)."""

import math

import pytest
import torch

from mmssl.models.weighting import (
    ConfidentShareWeighting,
    ConstantWeighting,
    PixelThresholdWeighting,
    SigmoidRampUpWeighting,
)
from mmssl.models.weighting.sigmoid_ramp_up import sigmoid_ramp_up

CONFIDENCE = torch.tensor([[[0.97, 0.5], [0.968, 0.99]], [[0.1, 0.2], [0.969, 0.3]]])  # 3 of 8 above 0.968
ALL = torch.ones_like(CONFIDENCE, dtype=torch.bool)


def test_constant():
    assert ConstantWeighting(weight=0.25)(CONFIDENCE, ALL, 7).unique().tolist() == [0.25]


@pytest.mark.parametrize(
    ('iteration', 'expected'),
    [(0, math.exp(-5)), (5000, math.exp(-1.25)), (9999, math.exp(-5e-8)), (10000, 1.0), (40000, 1.0)],
)
def test_sigmoid_ramp_up(iteration, expected):
    assert sigmoid_ramp_up(iteration, 10000) == pytest.approx(expected, rel=1e-12)
    weights = SigmoidRampUpWeighting(weight=2.0)(CONFIDENCE, ALL, iteration)
    assert weights.shape == CONFIDENCE.shape
    assert weights.unique().tolist() == pytest.approx([2 * expected])


def test_pixel_threshold_is_strict():
    weights = PixelThresholdWeighting(weight=0.5)(CONFIDENCE, ALL, 0)
    assert weights.tolist() == [[[0.5, 0.0], [0.0, 0.5]], [[0.0, 0.0], [0.5, 0.0]]]


def test_confident_share_of_the_batch():
    weights = ConfidentShareWeighting()(CONFIDENCE, ALL, 0)
    assert weights.shape == CONFIDENCE.shape
    assert weights.unique().tolist() == [3 / 8]


def test_confident_share_of_each_image():
    weights = ConfidentShareWeighting(weight=2.0, per='image')(CONFIDENCE, ALL, 0)
    assert weights[0].unique().tolist() == [1.0]
    assert weights[1].unique().tolist() == [0.5]


def test_confident_share_leaves_padding_out():
    valid = ALL.clone()
    valid[:, 0] = False  # left: 0.968, 0.99, 0.969, 0.3
    assert ConfidentShareWeighting()(CONFIDENCE, valid, 0).unique().tolist() == [0.5]
    assert ConfidentShareWeighting()(CONFIDENCE, torch.zeros_like(ALL), 0).unique().tolist() == [0.0]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="per='pixel', expected one of"):
        ConfidentShareWeighting(per='pixel')
    with pytest.raises(ValueError, match='length=0, expected at least 1'):
        SigmoidRampUpWeighting(length=0)
