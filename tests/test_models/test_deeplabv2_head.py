"""DeepLabv2: sums of dilated convolutions, and the model of table 3.1 (S2)."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, init_default_scope
from torch import nn

from mmssl.models.decode_heads.deeplabv2_head import DeepLabV2Head

TRUNK = 42_500_160
NORM_AFFINE = 105_344


@pytest.fixture(scope='module')
def build(repository):
    """Builds configs/_base_/models/deeplabv2_r101.py, by default on the meta device: no weights, in no time."""
    cfg = Config.fromfile(repository / 'configs/_base_/models/deeplabv2_r101.py').model

    def of(device='meta', **head):
        init_default_scope('mmseg')
        changed = copy.deepcopy(cfg)
        changed.decode_head.update(head)
        with torch.device(device):
            return MODELS.build(changed)

    yield of
    DefaultScope._instance_dict.clear()


@pytest.fixture(scope='module')
def model(build):
    return build('cpu')


def count(module: nn.Module, trainable: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def test_parameters_with_19_classes(model):
    assert count(model.backbone) == TRUNK
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert sum(p.numel() for m in norms for p in m.parameters()) == NORM_AFFINE
    assert count(model) == 43_901_068
    assert count(model, trainable=True) == 43_795_724 == 43_901_068 - NORM_AFFINE
    assert not any('conv_seg' in name for name in model.state_dict())
    assert not any(isinstance(m, (nn.Dropout, nn.Dropout2d)) for m in model.modules())


@pytest.mark.parametrize(
    ('head', 'total'),
    [
        ({'num_classes': 21}, 44_048_532),
        ({'num_classes': 16}, 43_679_872),
        ({'dilations': (6, 12)}, 43_200_614),
    ],
)
def test_parameters_of_the_variants(build, head, total):
    assert count(build(**head)) == total


def test_trunk_is_that_of_the_table(model):
    """Stride on the first 1x1, dilation 2 and 4 in every block of the last stages, statistics that go on learning."""
    for stage, (blocks, stride, dilation) in enumerate(((3, 1, 1), (4, 2, 1), (23, 1, 2), (3, 1, 4)), start=1):
        layer = getattr(model.backbone, f'layer{stage}')
        assert len(layer) == blocks
        assert [b.conv2.dilation for b in layer] == [(dilation, dilation)] * blocks
        assert [b.conv2.padding for b in layer] == [(dilation, dilation)] * blocks
        assert [b.conv1.stride for b in layer] == [(stride, stride)] + [(1, 1)] * (blocks - 1)
        assert {b.conv2.stride for b in layer} == {(1, 1)}
    assert model.train().backbone.bn1.training
    assert not any(p.requires_grad for n, p in model.named_parameters() if '.bn' in n or 'downsample.1' in n)


def test_output_stride_and_size_of_the_scores(model):
    with torch.no_grad():
        scores = model.eval()(torch.zeros(1, 3, 64, 96), mode='tensor')
    assert scores.shape == (1, 19, 8, 12)


def test_initial_weights(build):
    head = build().decode_head.to_empty(device='cpu')
    torch.manual_seed(0)
    head.init_weights()
    for branch in head.branches:
        assert branch.weight.std().item() == pytest.approx(0.01, rel=0.01)
        assert abs(branch.weight.mean().item()) < 1e-4
        assert not branch.bias.any()


def make_head(**kwargs) -> DeepLabV2Head:
    torch.manual_seed(0)
    return DeepLabV2Head(kwargs.pop('in_channels', 5), num_classes=kwargs.pop('num_classes', 3), **kwargs)


def test_an_impulse_shows_the_taps_of_every_branch(mmseg_scope):
    """All weights 1: the centre meets all four branches, a tap at distance 6, 12, 18 or 24 one of them."""
    head = make_head(in_channels=1, num_classes=2)
    for number, branch in enumerate(head.branches):
        nn.init.ones_(branch.weight)
        nn.init.constant_(branch.bias, 10.0**number)
    x = torch.zeros(1, 1, 61, 61)
    x[0, 0, 30, 30] = 1
    expected = torch.full((61, 61), 1111.0)
    for distance in (6, 12, 18, 24):
        for dy in (-distance, 0, distance):
            for dx in (-distance, 0, distance):
                expected[30 + dy, 30 + dx] += 1
    assert expected[30, 30] == 1115
    scores = head([x])
    assert torch.equal(scores[0, 0], expected) and torch.equal(scores[0, 1], expected)


def test_equation_2_7_by_loops(mmseg_scope):
    """Slow reference: one position, all taps, of the last map of two."""
    head = make_head(dilations=(2, 3))
    x = torch.randn(2, 5, 9, 11)
    scores = head([torch.zeros(2, 4, 2, 2), x])
    assert scores.shape == (2, 3, 9, 11)
    for i, j in ((0, 0), (4, 5), (8, 10), (2, 9)):
        expected = torch.zeros(2, 3)
        for branch, rate in zip(head.branches, (2, 3), strict=True):
            expected += branch.bias
            for k in range(3):
                for m in range(3):
                    row, column = i + rate * (k - 1), j + rate * (m - 1)
                    if 0 <= row < 9 and 0 <= column < 11:
                        expected += x[:, :, row, column] @ branch.weight[:, :, k, m].T
        assert torch.allclose(scores[:, :, i, j], expected, atol=1e-5)


def test_the_released_two_branches_are_the_first_two_of_four(mmseg_scope):
    four, two = make_head(), make_head(dilations=(6, 12))
    state = {name: value for name, value in four.state_dict().items() if name[9] in '01'}
    assert set(state) == set(two.state_dict())
    two.load_state_dict(state)
    x = torch.randn(1, 5, 30, 30)
    rest = sum(branch(x) for branch in list(four.branches)[2:])
    assert torch.allclose(two([x]), four([x]) - rest, atol=1e-5)


def test_loss_is_taken_at_the_size_of_the_labels(mmseg_scope):
    from mmssl.testing import segmentation_batch

    head = make_head()
    x = torch.randn(2, 5, 8, 12)
    samples = segmentation_batch(3, size=(64, 96))['data_samples']
    labels = torch.cat([sample.gt_sem_seg.data for sample in samples])
    resized = F.interpolate(head([x]), (64, 96), mode='bilinear', align_corners=True)
    losses = head.loss([x], samples, {})
    assert losses['loss_ce'].item() == pytest.approx(F.cross_entropy(resized, labels, ignore_index=255).item(), 1e-5)
    losses['loss_ce'].backward()
    assert all(p.grad is not None and p.grad.any() for p in head.parameters())


@pytest.mark.parametrize('dilations', [(), (6, 0), (6, 1.5), (True,)])
def test_wrong_dilations(mmseg_scope, dilations):
    with pytest.raises(ValueError, match=r'dilations=.*expected whole numbers from 1 up'):
        make_head(dilations=dilations)


def test_options_without_effect_are_refused(mmseg_scope):
    with pytest.raises(TypeError, match='dropout_ratio'):
        make_head(dropout_ratio=0.1)


def test_the_schedule_gives_the_head_ten_times_the_rate(repository, build):
    from mmengine.optim import build_optim_wrapper

    cfg = Config.fromfile(repository / 'configs/_base_/schedules/sgd_40k.py')
    model = build()
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    rates = {names[id(p)].split('.')[0]: set() for g in groups for p in g['params']}
    for group in groups:
        for p in group['params']:
            if p.requires_grad:
                rates[names[id(p)].split('.')[0]].add(group['lr'])
    assert rates == {'backbone': {2.5e-4}, 'decode_head': {2.5e-3}}
    assert {(g['momentum'], g['weight_decay']) for g in groups} == {(0.9, 5e-4)}
    assert cfg.param_scheduler[0]['end'] == cfg.train_cfg['max_iters'] == 40000
