"""Switchable normalisation against its formulas, and against BN, IN and LN where the mixture is one of them."""

import copy
import math

import pytest
import torch
from mmcv.cnn import build_norm_layer, fuse_conv_bn, is_norm
from mmengine.model import convert_sync_batchnorm, revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmssl.models.backbones.erfnet import ERFNetEncoder
from mmssl.models.decode_heads.erfnet_head import ERFNetDecodeHead
from mmssl.models.layers.fold_norm import fold_norm
from mmssl.models.layers.switch_norm import SwitchNorm2d, mixed_statistics, pooled_statistics
from mmssl.registry import MODELS

LOGITS = ['mean_weight', 'var_weight']
BUFFERS = ['running_mean', 'running_var', 'num_batches_tracked']
INSTANCE, LAYER, BATCH = range(3)
# The softmax of these logits is (1/2, 1/8, 3/8), and (1/4, 1/2, 1/4).
OF_MEAN, OF_VAR = torch.tensor([4.0, 1, 3]).log(), torch.tensor([1.0, 2, 1]).log()


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Images and channels with means and deviations of their own, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    columns = (1, shape[1], 1, 1)
    means, stds = torch.linspace(-3, 5, shape[1]).view(columns), torch.linspace(0.5, 4, shape[1]).view(columns)
    own = torch.randn(shape[0], shape[1], 1, 1, generator=generator)
    return (torch.randn(shape, generator=generator) * stds + means + own).double()


def filled(layer: nn.Module, only: int | None = None) -> nn.Module:
    """Parameters that are neither 0 nor 1, in double precision; mixed, or of one statistic alone."""
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1.5, 2, len(layer.weight)))
        layer.bias.copy_(torch.linspace(1, -2, len(layer.bias)))
        if isinstance(layer, SwitchNorm2d):
            for logits, mixed in ((layer.mean_weight, OF_MEAN), (layer.var_weight, OF_VAR)):
                # exp(-1000) is 0
                logits.copy_(mixed if only is None else 1000 * torch.eye(3)[only])
    return layer.double()


def step(layer: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Output, gradients of a weighted sum of it, and the buffers after it."""
    x = x.detach().clone().requires_grad_()
    layer.zero_grad()
    out = layer(x)
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(9)).to(out.dtype)).sum().backward()
    found = {'out': out.detach(), 'x': x.grad}
    found |= {f'grad of {name}': parameter.grad for name, parameter in layer.named_parameters()}
    return found | {name: buffer.clone() for name, buffer in layer.named_buffers()}


def slow_forward(x, of_mean, of_var, weight, bias, eps, running=None):
    """The formulas of the paper on lists; ``running``, (mean, variance) a channel, stands for the batch."""

    def moments(values):
        mean = sum(values) / len(values)
        return mean, sum((value - mean) ** 2 for value in values) / len(values)

    images, out = x.tolist(), torch.empty_like(x)
    for n, image in enumerate(images):
        for c in range(len(image)):
            stats = [
                moments(sum(image[c], [])),
                moments([value for channel in image for row in channel for value in row]),
                running[c] if running else moments([value for other in images for row in other[c] for value in row]),
            ]
            mean = sum(share * stat[0] for share, stat in zip(of_mean, stats, strict=True))
            var = sum(share * stat[1] for share, stat in zip(of_var, stats, strict=True))
            out[n, c] = weight[c] * (x[n, c] - mean) / math.sqrt(var + eps) + bias[c]
    return out


def test_statistics_by_hand():
    """Two images, two channels of two pixels: [1 3] and [5 5] in the first, [-1 1] and [2 6] in the second."""
    mean, var = torch.tensor([[2.0, 5], [0, 4]]), torch.tensor([[1.0, 0], [1, 4]])
    batch = pooled_statistics(mean, var, axis=0)
    # of 1 3 -1 1: mean 1, squares 0 4 4 0; of 5 5 2 6: mean 4.5, squares 1/4 1/4 25/4 9/4
    torch.testing.assert_close(batch, (torch.tensor([[1.0, 4.5]]), torch.tensor([[2.0, 2.25]])))
    # of 1 3 5 5: mean 3.5, squares 25/4 1/4 9/4 9/4; of -1 1 2 6: mean 2, squares 9 1 0 16
    layer = pooled_statistics(mean, var, axis=1)
    torch.testing.assert_close(layer, (torch.tensor([[3.5], [2.0]]), torch.tensor([[2.75], [6.5]])))
    mixed_mean, mixed_var = mixed_statistics(mean, var, *batch, OF_MEAN, OF_VAR)
    # 2/2 + 3.5/8 + 3/8, 5/2 + 3.5/8 + 13.5/8, 0 + 2/8 + 3/8, 4/2 + 2/8 + 13.5/8
    torch.testing.assert_close(mixed_mean, torch.tensor([[1.8125, 4.625], [0.625, 3.9375]]))
    # 1/4 + 2.75/2 + 2/4, 0 + 2.75/2 + 2.25/4, 1/4 + 6.5/2 + 2/4, 4/4 + 6.5/2 + 2.25/4
    torch.testing.assert_close(mixed_var, torch.tensor([[2.125, 1.9375], [4.0, 4.8125]]))


def test_a_new_layer_by_hand():
    layer = SwitchNorm2d(2, eps=0.25)
    x = torch.tensor([[[1.0, 3], [5, 5]], [[-1, 1], [2, 6]]]).view(2, 2, 1, 2)
    out = layer(x)
    # a third each: the second image's first channel has mean (0 + 2 + 1) / 3 and variance (1 + 6.5 + 2) / 3
    torch.testing.assert_close(out[1, 0], (x[1, 0] - 1) / math.sqrt(9.5 / 3 + 0.25))
    # 0.1 of the batch's mean; 0.9 of 1 and 0.1 of its variance, unbiased: 4/3 times as large
    torch.testing.assert_close(layer.running_mean, torch.tensor([0.1, 0.45]))
    torch.testing.assert_close(layer.running_var, 0.9 + torch.tensor([2.0, 2.25]) * 4 / 30)
    assert layer.num_batches_tracked == 1
    # in evaluation: mean (0 + 2 + 0.1) / 3, variance (1 + 6.5 + 0.9 + 0.8/3) / 3, and nothing moves
    torch.testing.assert_close(layer.eval()(x)[1, 0], (x[1, 0] - 0.7) / math.sqrt((8.4 + 0.8 / 3) / 3 + 0.25))
    assert layer.num_batches_tracked == 1


def test_equals_the_slow_reference():
    layer = filled(SwitchNorm2d(3, eps=1e-3))
    shares = [logits.softmax(0).tolist() for logits in (layer.mean_weight, layer.var_weight)]
    parts = [*shares, layer.weight.tolist(), layer.bias.tolist(), 1e-3]
    for seed in range(3):
        x = noise(2, 3, 4, 5, seed=seed)
        torch.testing.assert_close(layer(x).detach(), slow_forward(x, *parts), rtol=1e-12, atol=1e-12)
    running = list(zip(layer.running_mean.tolist(), layer.running_var.tolist(), strict=True))
    expected = slow_forward(x, *parts, running)
    torch.testing.assert_close(layer.eval()(x).detach(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('momentum', [0.1, 0.7, None])
def test_batch_alone_is_batch_norm(momentum):
    """Outputs, gradients and buffers of three batches, then evaluation."""
    ours = filled(SwitchNorm2d(3, eps=1e-3, momentum=momentum), BATCH)
    theirs = filled(nn.BatchNorm2d(3, eps=1e-3, momentum=momentum))
    for seed in range(3):
        found, expected = (step(layer, noise(2, 3, 4, 5, seed=seed)) for layer in (ours, theirs))
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-11, msg=name)
    found, expected = (step(layer.eval(), x := noise(2, 3, 4, 5, seed=3)) for layer in (ours, theirs))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-11, msg=name)
    # and in single precision
    torch.testing.assert_close(ours.train().float()(x.float()), theirs.train().float()(x.float()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('only', [INSTANCE, LAYER])
def test_instance_or_layer_alone_are_those_norms(only, training):
    """In evaluation, too, whatever the running statistics are."""
    ours = filled(SwitchNorm2d(3, eps=1e-3), only).train(training)
    ours.running_mean.fill_(50)
    theirs = nn.InstanceNorm2d(3, eps=1e-3, affine=True) if only == INSTANCE else nn.LayerNorm((3, 4, 5), eps=1e-3)
    with torch.no_grad():
        for name in ('weight', 'bias'):
            value = getattr(ours, name)
            # one for each pixel of a channel
            getattr(theirs, name).copy_(value if only == INSTANCE else value.view(3, 1, 1).expand(3, 4, 5))
    found, expected = (step(layer, noise(2, 3, 4, 5)) for layer in (ours, theirs.double()))
    for name in ('weight', 'bias') if only == LAYER else ():
        expected[f'grad of {name}'] = expected[f'grad of {name}'].sum((1, 2))
    for name in ('out', 'x', 'grad of weight', 'grad of bias'):
        torch.testing.assert_close(found[name], expected[name], rtol=1e-10, atol=1e-11, msg=name)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('shape', [(3, 2, 2, 3), (1, 3, 2, 2), (2, 3, 1, 1)])
def test_gradients_against_differences(shape, training):
    """Of the input and all parameters, the logits too; first and second order."""
    start = filled(SwitchNorm2d(shape[1], eps=1e-2)).train(training)
    names = ['weight', 'bias', *LOGITS]

    def forward(x, *parameters):
        return torch.func.functional_call(copy.deepcopy(start), dict(zip(names, parameters, strict=True)), x)

    leaves = [noise(*shape), *(getattr(start, name).detach().clone() for name in names)]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(forward, leaves)
    assert torch.autograd.gradgradcheck(forward, leaves)


def test_one_image_and_one_pixel():
    """Batch and instance then agree; of one pixel their variance is 0, and the layer's remains."""
    layer = filled(SwitchNorm2d(3, eps=0.0))
    out = layer(noise(1, 3, 4, 5))
    assert out.isfinite().all()
    x = torch.tensor([1.0, 2, 6]).double().view(1, 3, 1, 1)
    # mean 3, variance (4 + 1 + 9) / 3, of which half is taken: 7/3
    expected = layer.weight.view(3, 1, 1) * (x - (7 * x + 3) / 8) / math.sqrt(7 / 3) + layer.bias.view(3, 1, 1)
    running = layer.running_var.clone()
    torch.testing.assert_close(layer(x), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(layer.running_var, 0.9 * running)
    assert all(gradient.isfinite().all() for gradient in step(layer, x).values())


def test_a_large_mean_does_not_drown_the_variance():
    """Mean 1000, deviation 0.5: squares of single precision are whole sixteenths there."""
    x = 1000 + 0.5 * noise(4, 2, 16, 16).float()
    layer = SwitchNorm2d(2, momentum=1.0)
    out, exact = layer(x), SwitchNorm2d(2).double()(x.double())
    torch.testing.assert_close(out.double(), exact, rtol=0, atol=2e-3)
    torch.testing.assert_close(layer.running_var.double(), x.double().var((0, 2, 3)), rtol=1e-4, atol=0)


def test_cumulative_average_is_the_papers_batch_average():
    """The recipe of the docstring: the plain mean of the batches' statistics, with all weights as they are."""
    layer = filled(SwitchNorm2d(3))
    layer(noise(2, 3, 4, 5, seed=9))
    layer.momentum = None
    layer.reset_running_stats()
    batches = [noise(2, 3, 4, 5, seed=seed) for seed in range(3)]
    with torch.no_grad():
        for batch in batches:
            layer(batch)
    torch.testing.assert_close(layer.running_mean, sum(batch.mean((0, 2, 3)) for batch in batches) / 3)
    torch.testing.assert_close(layer.running_var, sum(batch.var((0, 2, 3)) for batch in batches) / 3)
    assert layer.num_batches_tracked == 3


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_statistics_are_float32_under_autocast(dtype):
    """Means of 30 with a deviation of 0.25, whose squares would lose it in 8 or 11 bits; and the gradients."""
    layer, conv = SwitchNorm2d(2, momentum=1.0), nn.Conv2d(2, 2, 1, bias=False)
    nn.init.dirac_(conv.weight)
    generator = torch.Generator().manual_seed(0)
    x = 30 + torch.randn(4, 2, 16, 16, generator=generator) / 4
    with torch.autocast('cpu', dtype):
        features = conv(x)
        out = layer(features)
    assert features.dtype == out.dtype == dtype
    assert layer.running_mean.dtype == layer.running_var.dtype == torch.float32
    wide = features.detach().double()
    torch.testing.assert_close(layer.running_mean.double(), wide.mean((0, 2, 3)), rtol=1e-6, atol=0)
    torch.testing.assert_close(layer.running_var.double(), wide.var((0, 2, 3)), rtol=1e-5, atol=0)
    # half a unit in the last place of the output
    exact = copy.deepcopy(layer).double()
    torch.testing.assert_close(out.double(), exact(wide), rtol=torch.finfo(dtype).eps / 2 * 1.01, atol=1e-4)
    found, expected = step(layer, features.detach()), step(exact, wide)
    assert found['x'].dtype == dtype
    for name in ('grad of weight', 'grad of mean_weight', 'grad of var_weight', 'grad of bias'):
        assert found[name].dtype == torch.float32
        # the gradient that arrives was rounded to the output's type
        scale = float(expected[name].abs().max()) + 10
        assert (found[name].double() - expected[name]).abs().max() < 0.02 * scale, name


def test_layers_of_half_precision():
    layer = SwitchNorm2d(2).half()
    out = layer(noise(4, 2, 8, 8).half())
    assert out.dtype == layer.running_mean.dtype == layer.mean_weight.dtype == torch.float16
    exact = SwitchNorm2d(2).double()(noise(4, 2, 8, 8).half().double())
    torch.testing.assert_close(out.double(), exact, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize('memory_format', [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize('training', [True, False])
def test_layout_is_kept(memory_format, training):
    layer = filled(SwitchNorm2d(3)).train(training)
    x = noise(2, 3, 4, 5)
    expected = copy.deepcopy(layer)(x)
    arranged = x.contiguous(memory_format=memory_format).requires_grad_()
    out = layer(arranged)
    (out**3).sum().backward()
    assert out.is_contiguous(memory_format=memory_format)
    assert arranged.grad.is_contiguous(memory_format=memory_format)
    torch.testing.assert_close(out, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize('momentum', [0.1, None])
def test_nothing_is_read_back_from_the_device(momentum):
    # A meta tensor has no values: whoever reads one raises.
    layer = SwitchNorm2d(3, momentum=momentum).to('meta')
    assert layer(torch.zeros(2, 3, 4, 5, device='meta')).shape == (2, 3, 4, 5)


def test_checkpoints_of_batch_norm_fit_both_ways():
    """All but the logits; a batch mixture then evaluates as BN does."""
    ours, theirs = filled(SwitchNorm2d(3), BATCH), filled(nn.BatchNorm2d(3))
    theirs(noise(4, 3, 4, 5))
    keys = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert (keys.missing_keys, keys.unexpected_keys) == (LOGITS, [])
    x = noise(2, 3, 4, 5, seed=1)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-12, atol=1e-12)
    ours.train()(x)
    keys = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert (keys.missing_keys, keys.unexpected_keys) == ([], LOGITS)
    assert theirs.num_batches_tracked == 2
    torch.testing.assert_close(ours.eval()(x), theirs(x), rtol=1e-12, atol=1e-12)
    assert list(SwitchNorm2d(3, affine=False).state_dict()) == [*LOGITS, *BUFFERS]


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    """To the bit: the third step from files written after the second, optimiser included."""

    def train(layer, optimizer, steps):
        for t in steps:
            found = step(layer, noise(2, 3, 4, 5, seed=t).float())
            optimizer.step()
        return found | {name: value.clone() for name, value in layer.state_dict().items()}

    def fresh():
        layer = filled(SwitchNorm2d(3)).float()
        return layer, torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)

    layer, optimizer = fresh()
    train(layer, optimizer, range(2))
    torch.save({'layer': layer.state_dict(), 'optimizer': optimizer.state_dict()}, tmp_path / 'run.pt')
    expected = train(layer, optimizer, [2])
    resumed, optimizer = fresh()
    saved = torch.load(tmp_path / 'run.pt', weights_only=True)
    resumed.load_state_dict(saved['layer'], strict=True)
    optimizer.load_state_dict(saved['optimizer'])
    found = train(resumed, optimizer, [2])
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not torch.equal(train(*fresh(), [2])['mean_weight'], expected['mean_weight'])


def test_an_erfnet_trains_its_mixtures(mmseg_scope):
    cfg = {'type': 'mmssl.SwitchNorm2d', 'eps': 1e-3}
    torch.manual_seed(0)
    net = nn.Sequential(ERFNetEncoder(norm_cfg=cfg), ERFNetDecodeHead(num_classes=3, norm_cfg=cfg))
    norms = [module for module in net.modules() if isinstance(module, SwitchNorm2d)]
    # one in each downsampler and upsampler, two in each of 13 + 4 blocks
    assert len(norms) == 39
    assert {(norm.eps, norm.momentum, norm.affine, norm.sync) for norm in norms} == {(1e-3, 0.1, True, False)}
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, 32, 48, generator=generator)
    truth = torch.randint(3, (1, 32, 48), generator=generator)
    optimizer, losses = torch.optim.SGD(net.parameters(), lr=0.05), []
    for _ in range(4):
        optimizer.zero_grad()
        losses.append(nn.functional.cross_entropy(net(image), truth))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0]
    for norm in norms:
        for name in LOGITS:
            assert getattr(norm, name).ne(1).all()
        assert norm.num_batches_tracked == 4
    plain = nn.Sequential(ERFNetEncoder(), ERFNetDecodeHead(num_classes=3))
    keys = plain.load_state_dict(net.state_dict(), strict=False)
    assert not keys.missing_keys
    assert len(keys.unexpected_keys) == 2 * 39


def test_names_in_a_resnet_are_those_of_batch_norm(mmseg_scope):
    """So that a checkpoint of BN fills all but the logits of 1 + 16 + 3 layers."""
    build = {'type': 'ResNet', 'depth': 18}
    ours, theirs = (MODELS.build(build | {'norm_cfg': {'type': name}}) for name in ('mmssl.SwitchNorm2d', 'BN'))
    keys = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert not keys.unexpected_keys
    assert len(keys.missing_keys) == 2 * 20
    assert {key.rpartition('.')[2] for key in keys.missing_keys} == set(LOGITS)
    # one image, of which the last stage has one pixel: BN has no answer there
    out = ours(noise(1, 3, 32, 32).float())[-1]
    assert out.shape == (1, 512, 1, 1)
    assert out.isfinite().all()


def test_hosts_build_it_and_do_not_take_it_for_batch_norm():
    """Nothing folds it, or replaces it by a plain synchronised BN, which would lose the mixture."""
    name, layer = build_norm_layer({'type': 'mmssl.SwitchNorm2d', 'requires_grad': False}, 4, postfix=2)
    assert (name, type(layer), layer.eps) == ('bn2', SwitchNorm2d, 1e-5)
    assert not any(parameter.requires_grad for parameter in layer.parameters())
    assert is_norm(layer)
    net = nn.Sequential(nn.Conv2d(3, 4, 1), filled(layer).float())
    image = noise(2, 3, 4, 5).float()
    expected = net.eval()(image)
    for convert in (convert_sync_batchnorm, revert_sync_batchnorm, fuse_conv_bn, fold_norm):
        converted = convert(copy.deepcopy(net)).eval()
        assert isinstance(converted[1], SwitchNorm2d)
        assert torch.equal(converted(image), expected)
    encoder = ERFNetEncoder(norm_cfg={'type': 'mmssl.SwitchNorm2d'})
    assert sum(isinstance(module, SwitchNorm2d) for module in fold_norm(encoder).modules()) == 3 + 2 * 13


def test_norm_decay_mult_spares_the_logits():
    net = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), SwitchNorm2d(4))
    optimizer = {'type': 'SGD', 'lr': 0.1, 'weight_decay': 0.5}
    wrapper = build_optim_wrapper(net, {'optimizer': optimizer, 'paramwise_cfg': {'norm_decay_mult': 0.0}})
    decays = {id(group['params'][0]): group['weight_decay'] for group in wrapper.optimizer.param_groups}
    assert [decays[id(parameter)] for parameter in net.parameters()] == [0.5, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: SwitchNorm2d(3, momentum=1.1), 'momentum=1.1, expected 0 to 1, or None'),
        (lambda: SwitchNorm2d(3, momentum=math.nan), 'momentum=nan, expected 0 to 1'),
        (lambda: SwitchNorm2d(3)(torch.zeros(2, 1, 4, 4)), r'input \(2, 1, 4, 4\), expected \(N, 3, H, W\)'),
        (lambda: SwitchNorm2d(3).eval()(torch.zeros(2, 3)), r'input \(2, 3\), expected \(N, 3, H, W\)'),
        (lambda: SwitchNorm2d(3)(torch.zeros(0, 3, 4, 4)), 'an empty batch in training, expected at least one'),
    ],
)
def test_wrong_values_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_empty_batches_pass_in_evaluation():
    assert SwitchNorm2d(3).eval()(torch.zeros(0, 3, 4, 4)).shape == (0, 3, 4, 4)


def test_what_is_printed():
    assert repr(SwitchNorm2d(3)) == 'SwitchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, sync=False)'
