"""Losses of the student against the teacher's targets, by hand (S2, equations 2.1 and 2.2)."""

import math

import pytest
import torch

from mmssl.models.losses.consistency import (
    ConsistencyCrossEntropyLoss,
    ConsistencySquaredErrorLoss,
    consistency_cross_entropy,
    consistency_squared_error,
    one_hot,
)

# One image of 1x3 pixels, two classes: probabilities (0.5, 0.5), (0.8, 0.2), (0.1, 0.9).
PROBABILITIES = torch.tensor([[[[0.5, 0.8, 0.1]], [[0.5, 0.2, 0.9]]]])
SCORES = PROBABILITIES.log() + 3.0  # a constant does not matter to the softmax
LABELS = torch.tensor([[[0, 1, 255]]])
SOFT = torch.tensor([[[[0.5, 0.0, 1.0]], [[0.5, 1.0, 0.0]]]])


def test_cross_entropy_of_each_pixel():
    assert consistency_cross_entropy(SCORES, LABELS)[0, 0].tolist() == pytest.approx(
        [-math.log(0.5), -math.log(0.2), 0.0]
    )
    assert consistency_cross_entropy(SCORES, SOFT)[0, 0].tolist() == pytest.approx(
        [-math.log(0.5), -math.log(0.2), -math.log(0.1)]
    )


def test_squared_error_of_each_pixel():
    # (1 - 0.5)^2 + 0.5^2, 0.8^2 + (1 - 0.2)^2
    assert consistency_squared_error(SCORES, LABELS)[0, 0].tolist() == pytest.approx([0.5, 1.28, 0.0], abs=1e-6)
    assert consistency_squared_error(SCORES, SOFT)[0, 0].tolist() == pytest.approx([0.0, 1.28, 1.62], abs=1e-6)


def test_hard_and_soft_targets_agree_on_one_hot():
    torch.manual_seed(0)
    scores, labels = torch.randn(2, 5, 4, 6), torch.randint(0, 5, (2, 4, 6))
    target = one_hot(labels, 5, torch.float32)
    assert target.sum(1).unique().tolist() == [1.0]
    torch.testing.assert_close(
        consistency_cross_entropy(scores, labels), consistency_cross_entropy(scores, target), rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(
        consistency_squared_error(scores, labels), consistency_squared_error(scores, target), rtol=1e-4, atol=1e-6
    )


def test_one_hot_of_ignored_is_zero():
    assert one_hot(LABELS, 2, torch.float64)[0, :, 0].tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


@pytest.mark.parametrize(('average', 'divisor'), [('valid', 2), ('all', 3)])
def test_weights_and_what_is_divided_by(average, divisor):
    loss = ConsistencyCrossEntropyLoss(loss_weight=2.0, average=average)
    weight = torch.tensor([[[1.0, 0.5, 7.0]]])
    found = loss(SCORES, LABELS, weight, LABELS != 255)
    assert found.item() == pytest.approx(2 * (math.log(2) + 0.5 * math.log(5)) / divisor)


def test_soft_targets_leave_ignored_pixels_out():
    loss = ConsistencySquaredErrorLoss()
    found = loss(SCORES, SOFT, torch.ones(1, 1, 3), torch.tensor([[[True, True, False]]]))
    assert found.item() == pytest.approx(1.28 / 2, abs=1e-6)


@pytest.mark.parametrize('kind', [ConsistencyCrossEntropyLoss, ConsistencySquaredErrorLoss])
def test_nothing_valid_is_zero_with_finite_gradient(kind):
    scores = SCORES.clone().requires_grad_()
    loss = kind()(scores, torch.full_like(LABELS, 255), torch.ones(1, 1, 3), torch.zeros(1, 1, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert not scores.grad.any() and torch.isfinite(scores.grad).all()


@pytest.mark.parametrize('per_pixel', [consistency_cross_entropy, consistency_squared_error])
@pytest.mark.parametrize('target', [LABELS, SOFT.double()])
def test_gradients(per_pixel, target):
    scores = torch.randn(1, 2, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda s: per_pixel(s, target), scores.requires_grad_())


def test_unknown_average():
    with pytest.raises(ValueError, match="ConsistencyCrossEntropyLoss: average='some', expected one of"):
        ConsistencyCrossEntropyLoss(average='some')
