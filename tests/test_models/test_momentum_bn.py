import copy
import math

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.registry import DefaultScope, init_default_scope
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmssl.models.backbones.erfnet import ERFNetEncoder
from mmssl.models.decode_heads.erfnet_head import ERFNetDecodeHead
from mmssl.models.layers.momentum_bn import MomentumBN
from mmssl.models.layers.momentum_bn_schedule import momentum_bn_coefficient, set_momentum_bn_coefficient
from mmssl.registry import MODELS

RULES = ['cosine', 'linear']
BUFFERS = ['running_mean', 'running_var', 'num_batches_tracked']
# Two images of 1x2 pixels: mean 5 and variance 9, mean 1 and variance 36, mean -2 and variance 0 (unbiased: times 4/3).
BATCHES = [torch.tensor(values).view(2, 1, 1, 2) for values in ([2.0, 8, 8, 2], [7.0, 7, -5, -5], [-2.0] * 4)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def filled(layer: nn.Module) -> nn.Module:
    """Parameters that are neither 0 nor 1, in double precision."""
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1.5, 2, len(layer.weight)))
        layer.bias.copy_(torch.linspace(1, -2, len(layer.bias)))
    return layer.double()


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Channels with means and deviations of their own."""
    columns = (1, -1, *[1] * (len(shape) - 2))
    means, stds = torch.linspace(-3, 5, shape[1]).view(columns), torch.linspace(0.5, 4, shape[1]).view(columns)
    return (torch.randn(shape, generator=seeded(seed)) * stds + means).double()


def step(layer: nn.Module, x: torch.Tensor, seed: int = 9) -> list[torch.Tensor]:
    """Output, gradients of a weighted sum of it, and the buffers after it."""
    x = x.detach().clone().requires_grad_()
    layer.zero_grad()
    out = layer(x)
    (out * torch.randn(out.shape, generator=seeded(seed), dtype=out.dtype)).sum().backward()
    return [
        out.detach(),
        x.grad,
        layer.weight.grad,
        layer.bias.grad,
        *(getattr(layer, name).clone() for name in BUFFERS),
    ]


def assert_same(found: list, expected: list, **tolerances: float) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **tolerances)


def slow_forward(x, past, weight, bias, eps, coefficient):
    """Equation 2.8 channel by channel on lists; ``past`` is [means, biased variances], or None."""
    channels = x.movedim(1, 0).flatten(1).tolist()
    out, stats = [], []
    for c, values in enumerate(channels):
        mean = sum(values) / len(values)
        var = sum((value - mean) ** 2 for value in values) / len(values)
        if past is not None:
            mean = coefficient * past[c][0] + (1 - coefficient) * mean
            var = coefficient * past[c][1] + (1 - coefficient) * var
        stats.append((mean, var))
        out.append([weight[c] * (value - mean) / math.sqrt(var + eps) + bias[c] for value in values])
    shape = (x.shape[1], x.shape[0], *x.shape[2:])
    return torch.tensor(out, dtype=torch.float64).view(shape).movedim(0, 1), stats


def test_three_batches_by_hand():
    layer = MomentumBN(1, coefficient=0.75, eps=0.25)
    nn.init.constant_(layer.weight, 2.0)
    nn.init.constant_(layer.bias, 0.5)
    expected = [
        # the batch alone: mean 5, variance 9
        (5.0, 9.0, 12.0),
        # 3/4 * 5 + 1/4 * 1, 3/4 * 9 + 1/4 * 36, unbiased 3/4 * 12 + 1/4 * 48
        (4.0, 15.75, 21.0),
        # 3/4 * 4 + 1/4 * -2, 3/4 * 15.75 + 1/4 * 0
        (2.5, 11.8125, 15.75),
    ]
    for number, (x, (mean, var, running_var)) in enumerate(zip(BATCHES, expected, strict=True), start=1):
        out = layer(x)
        torch.testing.assert_close(out, 2 * (x - mean) / math.sqrt(var + 0.25) + 0.5)
        assert layer.running_mean.item() == pytest.approx(mean)
        assert layer.running_var.item() == pytest.approx(running_var)
        assert layer.num_batches_tracked.item() == number
    # evaluation: (x - 2.5) / sqrt(15.75 + 0.25), and nothing moves
    torch.testing.assert_close(layer.eval()(BATCHES[0]), 2 * (BATCHES[0] - 2.5) / 4 + 0.5)
    assert [getattr(layer, name).item() for name in BUFFERS] == [2.5, 15.75, 3]


def test_two_forward_passes_an_update_by_hand():
    layer = MomentumBN(1, coefficient=0.75, eps=0.0, forwards_per_update=2)
    first, second, third = BATCHES
    # without a past each view is normalised by itself
    torch.testing.assert_close(layer(first), (first - 5) / 3)
    assert [getattr(layer, name).item() for name in BUFFERS] == [0, 1, 0]
    torch.testing.assert_close(layer(second), (second - 1) / 6)
    # (5 + 1) / 2, (12 + 48) / 2
    assert [getattr(layer, name).item() for name in BUFFERS] == [3, 30, 1]
    # both with the past 3 and 30 * 3/4: 3/4 * 3 + 1/4 * -2, 3/4 * 22.5; 3/4 * 3 + 1/4 * 5, 3/4 * 22.5 + 1/4 * 9
    other = copy.deepcopy(layer)
    results = [layer(third), layer(first)]
    torch.testing.assert_close(results, [(third - 1.75) / math.sqrt(16.875), (first - 3.5) / math.sqrt(19.125)])
    # 3/4 * 3 + 1/4 * (-2 + 5) / 2, 3/4 * 30 + 1/4 * (0 + 12) / 2
    assert [getattr(layer, name).item() for name in BUFFERS] == [2.625, 24, 2]
    # the order of the views does not matter
    swapped = [other(first), other(third)]
    assert torch.equal(swapped[1], results[0])
    assert torch.equal(swapped[0], results[1])
    assert all(torch.equal(getattr(layer, name), getattr(other, name)) for name in BUFFERS)


def test_equals_the_slow_reference_with_a_schedule():
    layer, past = filled(MomentumBN(3, eps=1e-3)), None
    for t in range(5):
        coefficient = momentum_bn_coefficient(t, 5)
        layer.set_coefficient(coefficient)
        x = noise(2, 3, 5, 4, seed=t)
        expected, past = slow_forward(x, past, layer.weight.tolist(), layer.bias.tolist(), 1e-3, coefficient)
        torch.testing.assert_close(layer(x).detach(), expected, rtol=1e-12, atol=1e-12)
    means, variances = torch.tensor(past, dtype=torch.float64).T
    torch.testing.assert_close(layer.running_mean, means, rtol=1e-12, atol=0)
    torch.testing.assert_close(layer.running_var, variances * 40 / 39, rtol=1e-12, atol=0)


@pytest.mark.parametrize('shape', [(6, 3), (4, 3, 5), (2, 3, 4, 5)])
def test_coefficient_0_is_batch_norm(shape):
    """Outputs, gradients and buffers over three batches; torch's momentum is 1 then."""
    kind = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    ours, theirs = filled(MomentumBN(3, coefficient=0.0)), filled(kind(3, momentum=1.0))
    for seed in range(3):
        x = noise(*shape, seed=seed)
        assert_same(step(ours, x), step(theirs, x), rtol=1e-11, atol=1e-12)
    single, single_theirs = copy.deepcopy(ours).float(), copy.deepcopy(theirs).float()
    assert_same(step(single, x.float()), step(single_theirs, x.float()), rtol=1e-4, atol=1e-5)
    theirs.load_state_dict(ours.state_dict())
    assert_same(step(ours.eval(), x), step(theirs.eval(), x), rtol=0, atol=0)


def test_the_first_batch_does_not_meet_initial_statistics():
    """Nor does its gradient: whatever the buffers hold before, it is batch normalisation."""
    ours, theirs = filled(MomentumBN(3, coefficient=0.99)), filled(nn.BatchNorm2d(3, momentum=1.0))
    ours.running_mean.fill_(100)
    assert_same(step(ours, noise(2, 3, 4, 5)), step(theirs, noise(2, 3, 4, 5)), rtol=1e-11, atol=1e-12)
    # from the second on it is not
    assert (step(ours, noise(2, 3, 4, 5, seed=1))[0] - step(theirs, noise(2, 3, 4, 5, seed=1))[0]).abs().max() > 0.1
    ours.reset_running_stats()
    assert_same(step(ours, noise(2, 3, 4, 5))[:4], step(theirs, noise(2, 3, 4, 5))[:4], rtol=1e-11, atol=1e-12)


def test_running_statistics_are_those_of_batch_norm_with_momentum_1_minus_coefficient():
    ours, theirs = filled(MomentumBN(3, coefficient=0.7)), filled(nn.BatchNorm2d(3, momentum=0.3))
    theirs(noise(8, 3, 4, 5))
    ours.load_state_dict(theirs.state_dict())
    for seed in range(1, 4):
        x = noise(2, 3, 4, 5, seed=seed)
        ours(x), theirs(x)
    for name in BUFFERS:
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=1e-12, atol=0)
    # what sets BN's momentum from outside, as precise BN does, sets this too
    ours.momentum = 1.0
    assert ours.coefficient == 0
    ours(x)
    torch.testing.assert_close(ours.running_mean, x.mean((0, 2, 3)))


def test_coefficient_1_keeps_the_past():
    layer = filled(MomentumBN(3, coefficient=1.0))
    layer(noise(8, 3, 4, 5))
    mean, var = layer.running_mean.clone(), layer.running_var.clone()
    x = noise(2, 3, 4, 5, seed=1).requires_grad_()
    out = layer(x)
    assert torch.equal(layer.running_mean, mean)
    assert torch.equal(layer.running_var, var)
    # n is 40: the biased variance is 39/40 of the running one; the gradient knows of no batch statistics
    torch.testing.assert_close(out, F.batch_norm(x, mean, var * 39 / 40, layer.weight, layer.bias))
    (gradient,) = torch.autograd.grad(out.sum(), x)
    expected = (layer.weight / (var * 39 / 40 + 1e-5).sqrt()).view(1, 3, 1, 1).expand_as(x)
    torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('shape', [(5, 2), (3, 2, 4), (2, 2, 3, 2)])
@pytest.mark.parametrize('batches', [0, 1])
def test_gradients_against_differences(shape, batches):
    """Without and with a past."""
    start = filled(MomentumBN(2, coefficient=0.6, eps=1e-3))
    for seed in range(batches):
        start(noise(*shape, seed=7 + seed))

    def forward(x, weight, bias):
        layer = copy.deepcopy(start)
        return torch.func.functional_call(layer, {'weight': weight, 'bias': bias}, x)

    leaves = [noise(*shape), start.weight.detach().clone(), start.bias.detach().clone()]
    assert torch.autograd.gradcheck(forward, [leaf.requires_grad_() for leaf in leaves])


def test_two_forward_passes_before_one_backward():
    layer = filled(MomentumBN(3, coefficient=0.6))
    layer(noise(2, 3, 4, 5))
    other = copy.deepcopy(layer)
    views = [noise(2, 3, 4, 5, seed=seed).requires_grad_() for seed in (1, 2)]
    together = torch.autograd.grad(sum((layer(view) ** 3).sum() for view in views), views)
    apart = [torch.autograd.grad((other(view) ** 3).sum(), view)[0] for view in views]
    assert_same(together, apart, rtol=0, atol=0)


def test_as_a_target_without_gradients():
    online = filled(MomentumBN(3, coefficient=0.6))
    target = copy.deepcopy(online).requires_grad_(False)
    for seed in range(3):
        x = noise(2, 3, 4, 5, seed=seed)
        with torch.no_grad():
            out = target(x)
        assert not out.requires_grad
        assert torch.equal(out, online(x))
    for name in BUFFERS:
        assert torch.equal(getattr(target, name), getattr(online, name))
    assert not any(buffer.requires_grad for buffer in online.buffers())


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_statistics_are_float32_under_autocast(dtype):
    """Means of 30 with a deviation of 0.25, whose squares would lose it in 8 or 11 bits."""
    layer = MomentumBN(2, coefficient=0.5)
    conv = nn.Conv2d(2, 2, 1, bias=False)
    nn.init.dirac_(conv.weight)
    inputs = [30 + torch.randn(4, 2, 16, 16, generator=seeded(seed)) / 4 for seed in range(2)]
    with torch.autocast('cpu', dtype):
        features = [conv(x) for x in inputs]
        outs = [layer(x) for x in features]
    assert features[0].dtype == outs[0].dtype == dtype
    assert layer.running_mean.dtype == layer.running_var.dtype == torch.float32
    wide = [x.double() for x in features]
    mean, var = (sum(getattr(x, kind)((0, 2, 3)) for x in wide) / 2 for kind in ('mean', 'var'))
    torch.testing.assert_close(layer.running_mean.double(), mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(layer.running_var.double(), var, rtol=1e-5, atol=0)
    expected = (wide[1] - mean.view(1, 2, 1, 1)) / (var.view(1, 2, 1, 1) * 1023 / 1024 + 1e-5).sqrt()
    # half a unit in the last place of the output
    torch.testing.assert_close(outs[1].double(), expected, rtol=torch.finfo(dtype).eps / 2 * 1.01, atol=1e-4)


def test_layers_of_half_precision():
    layer = MomentumBN(2, coefficient=0.5).half()
    out = layer(noise(4, 2, 8, 8).half())
    layer(noise(4, 2, 8, 8, seed=1).half())
    assert out.dtype == layer.running_mean.dtype == torch.float16
    assert 0.99 < out.float().std() < 1.01


@pytest.mark.parametrize('memory_format', [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize('training', [True, False])
def test_layout_is_kept(memory_format, training):
    layer = filled(MomentumBN(3)).train(training)
    x = noise(2, 3, 4, 5)
    expected = copy.deepcopy(layer)(x)
    arranged = x.contiguous(memory_format=memory_format).requires_grad_()
    out = layer(arranged)
    (out**3).sum().backward()
    assert out.is_contiguous(memory_format=memory_format)
    assert arranged.grad.is_contiguous(memory_format=memory_format)
    torch.testing.assert_close(out, expected, rtol=1e-11, atol=1e-12)


def test_nothing_is_read_back_from_the_device():
    # A meta tensor has no values: whoever reads one raises.
    assert MomentumBN(3).to('meta')(torch.zeros(2, 3, 4, 5, device='meta')).shape == (2, 3, 4, 5)


def test_state_dicts_fit_batch_norm_both_ways():
    ours, theirs = filled(MomentumBN(3, forwards_per_update=2)), filled(nn.BatchNorm2d(3))
    assert list(ours.state_dict()) == list(theirs.state_dict()) == ['weight', 'bias', *BUFFERS]
    assert [name for name, _ in ours.named_buffers()] == BUFFERS
    x = noise(2, 3, 4, 5)
    for seed in range(3):
        theirs(noise(2, 3, 4, 5, seed=seed))
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
    assert ours.num_batches_tracked == 3
    for seed in range(4):
        ours.train()(noise(2, 3, 4, 5, seed=seed))
    theirs.load_state_dict(ours.state_dict(), strict=True)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
    assert theirs.num_batches_tracked == 5
    assert MomentumBN(3, affine=False).state_dict().keys() == nn.BatchNorm2d(3, affine=False).state_dict().keys()


def test_the_past_of_a_checkpoint_counts():
    theirs = filled(nn.BatchNorm2d(3, momentum=1.0))
    theirs(noise(2, 3, 4, 5))
    mean, var = theirs.running_mean.clone(), theirs.running_var.clone()
    ours = MomentumBN(3, coefficient=0.75, affine=False).double()
    ours.load_state_dict({name: theirs.state_dict()[name] for name in BUFFERS})
    x = noise(2, 3, 4, 5, seed=1)
    blended = [0.75 * mean + 0.25 * x.mean((0, 2, 3)), 0.75 * var + 0.25 * x.var((0, 2, 3))]
    torch.testing.assert_close(ours(x), F.batch_norm(x, blended[0], blended[1] * 39 / 40))
    torch.testing.assert_close([ours.running_mean, ours.running_var], blended)


@pytest.mark.parametrize('forwards', [1, 2])
def test_a_resumed_run_is_the_uninterrupted_one(forwards, tmp_path):
    """To the bit: outputs, gradients and buffers of the third step from a file written after the second."""

    def train(layer, steps):
        for t in steps:
            layer.set_coefficient(momentum_bn_coefficient(t, 4, start=0.3))
            results = [step(layer, noise(2, 3, 4, 5, seed=forwards * t + view).float()) for view in range(forwards)]
        return sum(results, [])

    layer = filled(MomentumBN(3, forwards_per_update=forwards)).float()
    train(layer, range(2))
    torch.save(layer.state_dict(), tmp_path / 'layer.pt')
    expected = train(layer, [2])
    resumed = MomentumBN(3, forwards_per_update=forwards)
    resumed.load_state_dict(torch.load(tmp_path / 'layer.pt', weights_only=True), strict=True)
    assert_same(train(resumed, [2]), expected, rtol=0, atol=0)
    fresh = filled(MomentumBN(3, forwards_per_update=forwards)).float()
    assert (train(fresh, [2])[0] - expected[0]).abs().max() > 1e-3


def test_schedule_by_hand():
    quarter = (1 - math.sqrt(0.5)) / 2
    cosine = [momentum_bn_coefficient(t, 4) for t in range(6)]
    assert cosine == pytest.approx([0, quarter, 0.5, 1 - quarter, 1, 1], abs=1e-15)
    assert [momentum_bn_coefficient(t, 4, rule='linear') for t in range(6)] == [0, 0.25, 0.5, 0.75, 1, 1]
    linear = [momentum_bn_coefficient(t, 4, start=0.8, end=0.4, rule='linear') for t in range(5)]
    assert linear == pytest.approx([0.8, 0.7, 0.6, 0.5, 0.4], abs=1e-15)
    assert momentum_bn_coefficient(1, 3, start=0.2, end=0.6) == pytest.approx(0.3)  # cos(pi / 3) is 1/2
    # 1 minus the weight of the batch in the released code of Momentum^2 Teacher
    assert all(
        1 - momentum_bn_coefficient(t, 7) == pytest.approx((1 + math.cos(math.pi * t / 7)) / 2) for t in range(7)
    )
    # no rounding beyond 1, whatever the step
    values = [momentum_bn_coefficient(t, 997, start=s, rule=r) for t in range(998) for s in (0, 0.9, 1) for r in RULES]
    assert 0 <= min(values) <= max(values) == 1


def test_the_coefficient_of_a_network():
    net = nn.Sequential(
        nn.Conv2d(1, 2, 1), MomentumBN(2), nn.Sequential(MomentumBN(2, coefficient=0.5), nn.BatchNorm2d(2))
    )
    assert [net[1].coefficient, net[2][0].coefficient] == pytest.approx([0.9, 0.5])
    assert set_momentum_bn_coefficient(net, 0.25) == 2
    assert [net[1].coefficient, net[2][0].coefficient] == [0.25, 0.25]
    assert net[2][1].momentum == 0.1
    assert set_momentum_bn_coefficient(nn.BatchNorm2d(2), 0.25) == 0
    assert repr(net[1]) == 'MomentumBN(2, coefficient=0.25, eps=1e-05, affine=True, sync=False, forwards_per_update=1)'


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: MomentumBN(3, coefficient=1.1), r'coefficient=1.1, expected 0 to 1'),
        (lambda: MomentumBN(3, coefficient=math.nan), r'coefficient=nan, expected 0 to 1'),
        (lambda: MomentumBN(3).set_coefficient(-0.1), r'coefficient=-0.1, expected 0 to 1'),
        (lambda: MomentumBN(3, forwards_per_update=0), 'forwards_per_update=0, expected at least 1'),
        (lambda: MomentumBN(3)(torch.zeros(2, 1, 4, 4)), r'input \(2, 1, 4, 4\), expected \(B, 3\) with up to two'),
        (lambda: MomentumBN(3).eval()(torch.zeros(3)), r'input \(3,\), expected \(B, 3\)'),
        (lambda: MomentumBN(3)(torch.zeros(1, 3)), r'1 value\(s\) a channel in training, expected at least 2'),
        (lambda: MomentumBN(3, sync=True)(torch.zeros(1, 3, 1)), r'1 value\(s\) a channel in training'),
        (lambda: momentum_bn_coefficient(0, 4, rule='cos'), r"rule='cos', expected one of \['cosine', 'linear'\]"),
        (lambda: momentum_bn_coefficient(-1, 4), 'step=-1 of total=4, expected 0 or more'),
        (lambda: momentum_bn_coefficient(0, 0), 'step=0 of total=0, expected 0 or more of at least 1'),
        (lambda: momentum_bn_coefficient(0, 4, start=1.5), 'start=1.5, end=1.0, expected 0 to 1'),
        (lambda: momentum_bn_coefficient(0, 4, end=-1), 'start=0.0, end=-1, expected 0 to 1'),
    ],
)
def test_wrong_values_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_torchs_momentum_is_no_argument():
    """Its value would mean the opposite of the coefficient's."""
    with pytest.raises(TypeError, match='momentum'):
        build_norm_layer({'type': 'mmssl.MomentumBN', 'momentum': 0.01}, 3)


@pytest.fixture
def scope(request):
    init_default_scope(request.param)
    yield request.param
    DefaultScope._instance_dict.clear()


def erfnet(**options) -> nn.Module:
    return nn.Sequential(ERFNetEncoder(**options), ERFNetDecodeHead(num_classes=3, **options))


def resnet(depth: int):
    return lambda **options: MODELS.build({'type': 'ResNet', 'depth': depth, **options})


# Norms: one in each downsampler and upsampler, two in each of 13 + 4 blocks of ERFNet; 1 + 16 + 3 and 1 + 48 + 4.
NETWORKS = [
    pytest.param('mmpretrain', resnet(18), 20, id='mmpretrain-r18'),
    pytest.param('mmpretrain', resnet(50), 53, id='mmpretrain-r50'),
    pytest.param('mmseg', resnet(18), 20, id='mmseg-r18'),
    pytest.param('mmseg', resnet(50), 53, id='mmseg-r50'),
    pytest.param('mmseg', erfnet, 39, id='erfnet'),
]


@pytest.mark.parametrize(('scope', 'build', 'count'), NETWORKS, indirect=['scope'])
def test_norm_cfg_reaches_every_layer_of_a_network(scope, build, count):
    cfg = {'type': 'mmssl.MomentumBN', 'requires_grad': False, 'eps': 1e-4, 'coefficient': 0.75}
    net = build(norm_cfg=cfg)
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    assert len(norms) == count
    assert {type(norm) for norm in norms} == {MomentumBN}
    assert {(norm.eps, norm.coefficient, norm.weight.requires_grad) for norm in norms} == {(1e-4, 0.75, False)}
    torch.manual_seed(0)
    plain = build(norm_cfg={'type': 'BN', 'eps': 1e-4}).double()
    net.double()
    assert list(net.state_dict()) == list(plain.state_dict())
    image = torch.randn(2, 3, 64, 64, generator=seeded(), dtype=torch.float64)

    def scores(network):
        features = network(image)
        return features[-1] if isinstance(features, tuple) else features

    # the first batch is that of batch normalisation, and every layer counts it; but dropout draws
    for module in (*net.modules(), *plain.modules()):
        if isinstance(module, nn.Dropout2d):
            module.p = 0.0
    net.train()  # the hosts' returns nothing
    plain.train()
    net.load_state_dict(plain.state_dict(), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(scores(net), scores(plain), rtol=1e-9, atol=1e-9)
        assert all(norm.num_batches_tracked == 1 and norm.running_var.ne(1).any() for norm in norms)
        plain.load_state_dict(net.state_dict(), strict=True)
        net.eval()
        plain.eval()
        assert torch.equal(scores(net), scores(plain))


@pytest.mark.parametrize('scope', ['mmpretrain'], indirect=True)
def test_hosts_treat_it_as_batch_norm(scope):
    """The name in a backbone, the constant initialisation, and ``norm_eval``."""
    name, layer = build_norm_layer({'type': 'mmssl.MomentumBN'}, 4, postfix=2)
    assert (name, type(layer), layer.eps) == ('bn2', MomentumBN, 1e-5)
    net = MODELS.build({'type': 'ResNet', 'depth': 18, 'norm_cfg': {'type': 'mmssl.MomentumBN'}, 'norm_eval': True})
    nn.init.constant_(net.bn1.weight, 7.0)
    net.init_weights()
    assert (net.bn1.weight == 1).all()
    net.train()
    assert not any(module.training for module in net.modules() if isinstance(module, MomentumBN))
