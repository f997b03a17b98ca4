"""PPM: pixel by pixel in Python, by hand, gradients, and its options."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import gradcheck

from mmssl.models.necks.ppm import PPM
from mmssl.models.necks.propagation import propagate, similarity, unit_vectors
from mmssl.registry import MODELS


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def slow_ppm(x, values, gamma, normalize_values):
    """Equations 2.10 and 2.11 for one image, pixel by pixel; x and values (C, H, W)."""
    pixels = list(itertools.product(range(x.shape[1]), range(x.shape[2])))
    out = torch.zeros_like(values)
    for i, j in pixels:
        for k, m in pixels:
            one, other, value = x[:, i, j], x[:, k, m], values[:, k, m]
            cosine = float(one @ other / (one.norm() * other.norm()))
            value = value / value.norm() if normalize_values else value
            out[:, i, j] += max(cosine, 0) ** gamma * value
    return out


def test_two_pixels_by_hand():
    # (3, 4) and (1, 0): cosine 0.6, similarity 0.36; values (0.6, 0.8) and (1, 0) once normalised.
    x = torch.tensor([[3.0, 1.0], [4.0, 0.0]])[None, :, None]
    raw = PPM(in_channels=2, transform_layers=0, normalize_values=False)
    torch.testing.assert_close(raw(x)[0, :, 0], torch.tensor([[3.36, 2.08], [4.0, 1.44]]))
    unit = PPM(in_channels=2, transform_layers=0)
    torch.testing.assert_close(unit(x)[0, :, 0], torch.tensor([[0.96, 1.216], [0.8, 0.288]]))
    # An angle over 90 degrees: each keeps its own.
    apart = x * torch.tensor([1.0, -1.0])
    torch.testing.assert_close(raw(apart), apart)


@pytest.mark.parametrize('gamma', [0.5, 1.0, 2.0, 3.5])
@pytest.mark.parametrize('normalize_values', [True, False])
def test_equals_the_slow_reference(gamma, normalize_values):
    torch.manual_seed(1)
    ppm = PPM(in_channels=6, gamma=gamma, normalize_values=normalize_values).double()
    x = noise(2, 6, 3, 4)
    found = ppm(x)
    convolution = ppm.transform[0]
    for image, result in zip(x, found, strict=True):
        values = torch.einsum('oc,chw->ohw', convolution.weight[:, :, 0, 0], image) + convolution.bias[:, None, None]
        torch.testing.assert_close(result, slow_ppm(image, values, gamma, normalize_values))


def plain_ppm(ppm, x):
    """The same in operations that autograd differentiates by itself."""
    unit = F.normalize(x.flatten(2), dim=1)
    values = ppm.transform(x).flatten(2)
    values = F.normalize(values, dim=1) if ppm.normalize_values else values
    return (values @ (unit.mT @ unit).clamp(min=0) ** ppm.gamma).view(x.shape)


@pytest.mark.parametrize('layers, norm_relu', [(0, False), (1, False), (1, True), (2, False), (2, True)])
def test_gradients_equal_autograds(layers, norm_relu):
    torch.manual_seed(2)
    ppm = PPM(in_channels=5, transform_layers=layers, transform_norm_relu=norm_relu).double()
    x, weight = noise(2, 5, 4, 3).requires_grad_(), noise(2, 5, 4, 3, seed=1)
    inputs = [x, *ppm.parameters()]
    found = torch.autograd.grad((ppm(x) * weight).sum(), inputs)
    expected = torch.autograd.grad((plain_ppm(ppm, x) * weight).sum(), inputs)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
        assert one.abs().max() > 1e-3 or one.numel() == 5  # a bias before a norm has none


@pytest.mark.parametrize('gamma', [0.5, 1.0, 2.0, 3.0])
def test_gradcheck(gamma):
    x, values = noise(2, 4, 5).requires_grad_(), noise(2, 3, 5, seed=1).requires_grad_()
    assert gradcheck(unit_vectors, (x,))
    assert gradcheck(lambda x, values: propagate(values, similarity(x, gamma)), (x, values))


@pytest.mark.parametrize('gamma', [0.1, 0.5, 1.0, 2.0])
def test_gradient_is_finite_where_the_cosine_is_0(gamma):
    # Orthogonal, opposite, equal and zero vectors, and one that is all but orthogonal to the first.
    x = torch.tensor([[1.0, 0, -1, 1, 0, 1e-30], [0, 1, 0, 0, 0, 1]])[None].requires_grad_()
    found = similarity(x, gamma)
    found.square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert x.grad[0, :, 4].tolist() == [0, 0]
    ones = [[0, 0], [1, 1], [2, 2], [3, 3], [0, 3], [3, 0], [1, 5], [5, 1], [5, 5]]
    expected = torch.zeros(6, 6)
    expected[tuple(torch.tensor(ones).T)] = 1
    torch.testing.assert_close(found[0].detach(), expected, atol=1e-6, rtol=0)


def test_power_below_1_is_exact_above_a_millionth_and_a_line_below():
    angles = torch.tensor([0.0, 1.0, 1.5, 1.57, torch.pi / 2 - 4e-6, torch.pi / 2 - 1e-7], dtype=torch.float64)
    cosines = angles.cos()
    found = similarity(torch.stack([angles.cos(), angles.sin()])[None], 0.5)[0, 0]
    torch.testing.assert_close(found[:5], cosines[:5].sqrt())
    assert found[5].item() == pytest.approx(cosines[5].item() * 1e3)  # 1e-6 ** -0.5


def test_zero_vector_has_no_direction_and_no_gradient():
    x = torch.zeros(1, 3, 2)
    x[0, :, 1] = torch.tensor([0.0, 3.0, 4.0])
    x.requires_grad_()
    unit = unit_vectors(x)
    assert unit[0].T.tolist() == [[0, 0, 0], [0, pytest.approx(0.6), pytest.approx(0.8)]]
    unit.sum().backward()
    # (1 - u (u . 1)) / 5 with u . 1 = 1.4; torch's normalize has 1e12 for the first pixel.
    torch.testing.assert_close(x.grad[0].T, torch.tensor([[0.0, 0, 0], [0.2, 0.032, -0.024]]))


def test_length_of_a_feature_has_no_influence_on_the_similarity():
    x, scale = noise(1, 7, 9), noise(1, 1, 9, seed=1).exp()
    torch.testing.assert_close(similarity(x * scale), similarity(x))


@pytest.mark.parametrize(
    'options, kinds, parameters',
    [
        ({'transform_layers': 0}, [], 0),
        ({}, [nn.Conv2d], 65_792),
        ({'transform_norm_relu': True}, [nn.Conv2d, nn.BatchNorm2d, nn.ReLU], 66_304),
        ({'transform_layers': 2}, [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Conv2d], 132_096),
        ({'transform_layers': 2, 'norm_cfg': {'type': 'GN', 'num_groups': 8}}, [nn.Conv2d, nn.GroupNorm, nn.ReLU,
                                                                                nn.Conv2d], 132_096),
    ],
)  # fmt: skip
def test_value_transform(options, kinds, parameters):
    ppm = MODELS.build({'type': 'mmssl.PPM', **options})
    assert [type(part) for part in ppm.transform] == kinds
    assert sum(parameter.numel() for parameter in ppm.parameters()) == parameters
    assert ppm.gamma == 2


def test_norm_and_relu_give_no_negative_value():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 5, 5)
    assert PPM(in_channels=8, transform_norm_relu=True)(x).min() >= 0
    assert PPM(in_channels=8)(x).min() < 0


def test_layout_of_the_input_has_no_influence():
    ppm, x = PPM(in_channels=6).double(), noise(2, 6, 5, 4)
    torch.testing.assert_close(ppm(x.to(memory_format=torch.channels_last)), ppm(x))
    torch.testing.assert_close(ppm(x.transpose(2, 3)), ppm(x).transpose(2, 3))


def test_half_precision_under_autocast():
    torch.manual_seed(0)
    ppm, x = PPM(in_channels=16), torch.randn(2, 16, 6, 6, requires_grad=True)
    exact = torch.autograd.grad(ppm(x).square().mean(), x)[0]
    with torch.autocast('cpu', torch.bfloat16):
        out = ppm(x)
        half = torch.autograd.grad(out.float().square().mean(), x)[0]
    assert out.dtype == torch.bfloat16
    assert half.dtype == torch.float32
    assert (half - exact).norm() / exact.norm() < 0.03


def test_wrong_options_and_input_are_one_line():
    for options, message in (
        ({'gamma': 0}, 'PPM: gamma=0, expected a number above 0'),
        ({'gamma': -1.5}, 'PPM: gamma=-1.5, expected a number above 0'),
        ({'gamma': float('nan')}, 'PPM: gamma=nan, expected a number above 0'),
        ({'in_channels': 0}, 'PPM: in_channels=0, expected at least 1'),
        ({'transform_layers': 3}, r'PPM: transform_layers=3, expected one of \(0, 1, 2\)'),
        ({'transform_layers': 0, 'transform_norm_relu': True}, 'transform_norm_relu with transform_layers=0, expected'),
        ({'norm_cfg': {'type': 'BN'}}, 'PPM: norm_cfg with transform_layers=1, which has no norm; expected 2 layers'),
    ):
        with pytest.raises(ValueError, match=message) as error:
            PPM(**options)
        assert '\n' not in str(error.value)
    with pytest.raises(ValueError, match=r'PPM: input \(2, 8, 3, 3\), expected \(B, 4, H, W\)'):
        PPM(in_channels=4)(torch.zeros(2, 8, 3, 3))


def test_builds_inside_mmseg_beside_its_own_class(mmseg_scope):
    ppm = MODELS.build({'type': 'mmssl.PPM', 'gamma': 3})
    assert type(ppm) is PPM
    assert 'gamma=3, normalize_values=True' in repr(ppm)
