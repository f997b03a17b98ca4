import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmssl.models.losses.class_weights import enet_class_weights
from mmssl.models.losses.weighted_cross_entropy import WeightedCrossEntropyLoss, weighted_cross_entropy


def slow_reference(scores, labels, class_weight, pixel_weight, ignore_index=255):
    """Equations 3.2 and 3.3, pixel by pixel."""
    total = normaliser = 0.0
    for b, y, x in np.ndindex(*labels.shape):
        label = int(labels[b, y, x])
        if label == ignore_index:
            continue
        s = [float(v) for v in scores[b, :, y, x]]
        loss = -s[label] + math.log(sum(math.exp(v) for v in s))
        total += class_weight[label] * pixel_weight[b, y, x] * loss
        normaliser += class_weight[label]
    return float(total / normaliser)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (2, 4, 5), generator=generator)
    labels[0, 0] = 255
    pixel_weight = torch.rand(2, 4, 5, generator=generator, dtype=torch.float64)
    return scores, labels, pixel_weight


def test_against_the_slow_reference(batch):
    scores, labels, pixel_weight = batch
    weight = torch.tensor([1.0, 10.0, 0.5])
    got = weighted_cross_entropy(scores, labels, weight, pixel_weight)
    assert float(got) == pytest.approx(slow_reference(scores, labels, weight.tolist(), pixel_weight), rel=1e-12)
    got = weighted_cross_entropy(scores, labels, weight)
    ones = torch.ones_like(pixel_weight)
    assert float(got) == pytest.approx(slow_reference(scores, labels, weight.tolist(), ones), rel=1e-12)


def test_equals_torch_without_pixel_weights(batch):
    scores, labels, _ = batch
    weight = torch.tensor([1.0, 10.0, 0.5], dtype=torch.float64)
    assert torch.allclose(
        weighted_cross_entropy(scores, labels, weight), F.cross_entropy(scores, labels, weight, ignore_index=255)
    )
    assert torch.allclose(weighted_cross_entropy(scores, labels), F.cross_entropy(scores, labels, ignore_index=255))


def test_one_pixel_by_hand():
    scores = torch.log(torch.tensor([[[[1.0]], [[3.0]]]]))  # probabilities 1/4 and 3/4
    assert float(weighted_cross_entropy(scores, torch.tensor([[[0]]]))) == pytest.approx(math.log(4), rel=1e-6)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('weighted', [False, True])
def test_a_batch_where_all_is_ignored_is_zero_with_zero_gradient(dtype, weighted):
    scores = torch.randn(1, 3, 2, 2, dtype=dtype, requires_grad=True)
    labels = torch.full((1, 2, 2), 255)
    weight = torch.tensor([1.0, 2.0, 3.0]) if weighted else None
    loss = weighted_cross_entropy(scores, labels, weight)
    loss.backward()
    assert float(loss) == 0
    assert torch.equal(scores.grad, torch.zeros_like(scores))


def test_half_trusted_pixels_halve_the_loss(batch):
    scores, labels, _ = batch
    half = torch.full(labels.shape, 0.5, dtype=torch.float64)
    whole = weighted_cross_entropy(scores, labels)
    assert torch.allclose(weighted_cross_entropy(scores, labels, pixel_weight=half), whole / 2)


def test_gradient():
    scores = torch.randn(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[[0, 1], [2, 255]]])
    weight = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda s: weighted_cross_entropy(s, labels, weight), (scores,))


def test_module_weighs_and_checks(batch):
    scores, labels, _ = batch
    loss = WeightedCrossEntropyLoss(class_weight=[1, 10, 0.5], loss_weight=2.0)
    expected = 2 * weighted_cross_entropy(scores, labels, torch.tensor([1, 10, 0.5]))
    assert torch.allclose(loss(scores, labels), expected)
    assert loss.loss_name == 'loss_ce'
    with pytest.raises(ValueError, match='class_weight has 3 numbers, the scores 2 classes'):
        loss(scores[:, :2], labels)
    with pytest.raises(ValueError, match="class_weight='median', expected"):
        WeightedCrossEntropyLoss(class_weight='median')
    with pytest.raises(ValueError, match='expected numbers from 0 up'):
        WeightedCrossEntropyLoss(class_weight=[1.0, -1.0])


def test_enet_weights_must_have_been_computed(batch):
    scores, labels, _ = batch
    loss = WeightedCrossEntropyLoss(class_weight='enet')
    with pytest.raises(ValueError, match='add mmssl.ClassWeightHook'):
        loss(scores, labels)
    loss.set_class_weight([1.0, 1.0, 1.0])
    assert torch.allclose(loss(scores, labels), weighted_cross_entropy(scores, labels))
    assert 'class_weight' not in loss.state_dict()


def test_enet_bounds_are_the_papers():
    """S0, section 4.2.1: c = 1.02 restricts the weights to [1.42, 50.49]."""
    low, middle, high = enet_class_weights(np.array([1.0, 0.5, 0.0]))
    assert low == pytest.approx(1.4222, abs=1e-4)
    assert high == pytest.approx(50.498, abs=1e-3)
    assert middle == pytest.approx(1 / math.log(1.52))


def test_enet_reproduces_a_published_table():
    """The public release's road weights, 2.8149 (c=1.10) and 2.3654 (c=1.20), come from one frequency."""
    p = math.exp(1 / 2.8149) - 1.10
    assert enet_class_weights(np.array([p]), c=1.20)[0] == pytest.approx(2.3654, abs=2e-3)


def test_enet_checks_its_arguments():
    with pytest.raises(ValueError, match='c=1.0, expected above 1'):
        enet_class_weights(np.array([0.5]), c=1.0)
    with pytest.raises(ValueError, match=r'expected shares in \[0, 1\]'):
        enet_class_weights(np.array([50.0]))
