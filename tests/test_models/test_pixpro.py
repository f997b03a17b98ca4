"""The PixPro model: its loss pixel by pixel, who gets a gradient, what each encoder sees, its health, bad input."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from torch import nn

from mmssl.datasets.transforms.affine_view import affine_matrix
from mmssl.errors import DataError
from mmssl.models.layers.momentum_bn import MomentumBN
from mmssl.models.selfsup.feature_std import feature_std
from mmssl.models.selfsup.pixpro import PixPro
from mmssl.registry import MODELS
from mmssl.testing import pixel_views_batch

SIDE, CHANNELS = 64, 8
BN = {'type': 'BN', 'eps': 1e-3}


@pytest.fixture(autouse=True, scope='module')
def scope():
    DefaultScope.get_instance('pixpro', scope_name='mmpretrain')
    yield
    DefaultScope._instance_dict.clear()


def build(**options) -> PixPro:
    """ERFNet's encoder with few channels, maps of 8x8, a target that is synchronised."""
    torch.manual_seed(0)
    defaults = {
        'data_preprocessor': {'type': 'mmpretrain.SelfSupDataPreprocessor', 'mean': [120.0] * 3, 'std': [60.0] * 3},
        'backbone': {'type': 'mmssl.ERFNetEncoder', 'widths': (4, 8, 16), 'dropout': (0.0, 0.0), 'norm_cfg': BN},
        'neck': {
            'type': 'mmssl.ConvProjector',
            'in_channels': 16,
            'hidden_channels': 16,
            'out_channels': CHANNELS,
            'norm_cfg': BN,
        },
        'propagation': {'type': 'mmssl.PPM', 'in_channels': CHANNELS},
    }
    model = PixPro(**(defaults | options))
    model.teacher.synchronize(model.student)
    model.begin_iteration(0, 0)
    return model


def batch(model, size=3, **geometry):
    """Normalised views, and samples whose ``boxes`` or ``affine`` may be given: (size, 2, ...)."""
    data = pixel_views_batch(batch_size=size, side=SIDE)
    for name, values in geometry.items():
        for sample, value in zip(data['data_samples'], values, strict=True):
            sample.set_field(value, name, field_type='metainfo')
    return model.data_preprocessor(data, True)


def boxes_apart(size=3):
    return torch.tensor([[0.0, 0, 10, 10], [100, 100, 110, 110]]).repeat(size, 1, 1)


def rotated(size=3, degrees=30.0):
    affine = torch.eye(2, 3).repeat(size, 2, 1, 1)
    affine[:, 0] = torch.from_numpy(affine_matrix(SIDE, SIDE, rotation=degrees)).float()
    return affine


def slow_loss(online, target, boxes, side):
    """Equations 2.12 and 2.13 pair by pair; maps (B, C, side, side) of both views."""
    total = 0.0
    for b in range(len(boxes)):
        centres, diagonals = [], []
        for x1, y1, x2, y2 in boxes[b].double().tolist():
            step_x, step_y = (x2 - x1) / side, (y2 - y1) / side
            centres.append(
                [(x1 + (j + 0.5) * step_x, y1 + (i + 0.5) * step_y) for i in range(side) for j in range(side)]
            )
            diagonals.append(math.hypot(step_x, step_y))
        y, x = ([one[b].flatten(1).double() for one in maps] for maps in (online, target))
        terms = []
        for i, first in enumerate(centres[0]):
            for j, second in enumerate(centres[1]):
                if math.dist(first, second) / max(diagonals) < 0.7:
                    terms.append(-F.cosine_similarity(y[0][:, i], x[1][:, j], dim=0))
                    terms.append(-F.cosine_similarity(y[1][:, j], x[0][:, i], dim=0))
        total += 2 * sum(terms) / len(terms) if terms else 0.0
    return float(total / len(boxes))


def test_loss_equals_a_loop_over_pixels():
    model = build().train()
    data = batch(model)
    flipped = torch.tensor([[40.0, 0, 0, 50], [10, 5, 60, 45]])
    for sample, value in zip(data['data_samples'][:1], [flipped], strict=True):
        sample.set_field(value, 'boxes', field_type='metainfo')
    model.wants_record = True
    losses = model(**data, mode='loss')
    with torch.no_grad():  # batch statistics: a second pass gives the same maps
        online = [model.propagation(model.student(view)) for view in data['inputs']]
        target = [model.teacher.model(view) for view in data['inputs']]
    boxes = torch.stack([sample.boxes for sample in data['data_samples']])
    assert losses['loss_consistency'].item() == pytest.approx(slow_loss(online, target, boxes, 8), abs=1e-5)
    assert losses['num_positives'] == model.record.pairs.sum().item() / 3
    assert losses['no_overlap'] == 0
    assert losses['cosine'].item() == pytest.approx(-losses['loss_consistency'].item() / 2, abs=1e-6)


def test_the_order_of_the_views_does_not_matter():
    model = build().train()
    data = batch(model)
    first = model(**data, mode='loss')['loss_consistency'].item()
    for sample in data['data_samples']:
        sample.set_field(sample.boxes.flip(0), 'boxes', field_type='metainfo')
    second = model(data['inputs'][::-1], data['data_samples'], mode='loss')['loss_consistency'].item()
    assert first == pytest.approx(second, abs=1e-6) and abs(first) > 0.01


@pytest.mark.parametrize('kind', ['PPM', 'LocalPPM', 'SelfAttentionPropagation', None])
def test_gradients_reach_the_online_encoder_only(kind):
    propagation = None if kind is None else {'type': f'mmssl.{kind}', 'in_channels': CHANNELS}
    if kind == 'LocalPPM':
        propagation['frame_size'] = 5
    model = build(propagation=propagation).train()
    if kind == 'SelfAttentionPropagation':
        with torch.no_grad():
            model.propagation.gamma.fill_(0.5)  # at 0 it is the identity, and only gamma has a gradient
    losses = model(**batch(model, affine=rotated()), mode='loss')
    losses['loss_consistency'].backward()
    for name, parameter in model.named_parameters():
        if name.startswith('teacher.'):
            assert parameter.grad is None and not parameter.requires_grad, name
        elif name != 'propagation.key.bias':  # a constant added to all scores of a softmax
            assert parameter.grad is not None and parameter.grad.any(), name
    assert ('attention_gamma' in losses) == (kind == 'SelfAttentionPropagation')
    assert losses.get('attention_gamma', 0.5) == 0.5


@pytest.mark.parametrize('kind', ['mmssl.BatchRandomErasing', 'mmssl.BatchRandomPatchedErasing'])
def test_erasing_leaves_the_targets_view_untouched(kind):
    model = build(erasing={'type': kind}).train()
    data = batch(model)
    before = [view.clone() for view in data['inputs']]
    seen = {'student': [], 'teacher': []}
    model.student.register_forward_pre_hook(lambda _, args: seen['student'].append(args[0]))
    model.teacher.model.register_forward_pre_hook(lambda _, args: seen['teacher'].append(args[0]))
    model.wants_record = True
    model(**data, mode='loss')
    for view in range(2):
        assert torch.equal(data['inputs'][view], before[view])
        assert torch.equal(seen['teacher'][view], before[view])
        assert torch.equal(model.record.views[view], before[view])
        changed = (seen['student'][view] != before[view]).any(1)
        assert 0.02 < changed.float().mean() < 0.75
        assert (seen['student'][view].movedim(1, -1)[changed] == -2).all()  # black: (0 - 120) / 60
        assert torch.equal(model.record.erased[view], seen['student'][view])
    assert not torch.equal(*[(seen['student'][view] != before[view]).any(1) for view in range(2)])


def test_what_is_erased_follows_from_seed_and_iteration():
    model = build(erasing={'type': 'mmssl.BatchRandomErasing'})
    views = [torch.ones(2, 3, SIDE, SIDE)] * 2

    def erased(iteration, seed):
        model.begin_iteration(iteration, seed)
        return torch.stack(model.erase(views))

    assert torch.equal(erased(3, 1), erased(3, 1))
    assert not torch.equal(erased(3, 1), erased(4, 1))
    assert not torch.equal(erased(3, 1), erased(3, 2))


def test_warped_view_is_compared_where_it_was():
    """An encoder that only averages: the way back gives the map of the view before the warp, inside of the image."""
    model = build(propagation=None).train()
    shades = torch.linspace(-1, 1, SIDE).expand(3, SIDE, SIDE)
    scene = torch.stack([shades, shades.mT, (shades + shades.mT) / 2])[:, 0][None].repeat(3, 1, 1, 1)
    grid = F.affine_grid(rotated()[:, 0], scene.shape, align_corners=False)
    warped = F.grid_sample(scene, grid, align_corners=False)
    pool = nn.AvgPool2d(8)
    model.student = model.teacher.model = pool
    data = batch(model, affine=rotated(), boxes=torch.tensor([[0.0, 0, 64, 64]]).repeat(3, 2, 1))
    model.wants_record = True
    losses = model([warped, scene], data['data_samples'], mode='loss')
    record = model.record
    valid = record.valid[0]
    assert record.valid[1] is None and 0.7 < valid.float().mean() < 0.95
    # Not at the edge, where cells of the warped view are partly black.
    inside = F.max_pool2d(F.pad((~valid).float()[:, None], (1, 1, 1, 1), value=1.0), 3, 1)[:, 0] == 0
    difference = (record.online[0] - pool(scene)).abs().amax(1)
    assert difference[inside].max() < 0.005 and inside.sum() > 60
    assert (record.raw[0] - pool(scene)).abs().max() > 0.3
    assert torch.equal(record.online[1], record.raw[1]) and torch.equal(record.target[0], record.online[0])
    # The same square views: each valid cell has itself alone for a partner.
    assert torch.equal(record.pairs, torch.diag_embed(valid.flatten(1)))
    assert losses['num_positives'] == valid.sum() / 3
    assert losses['cosine'] > 0.98


def test_without_overlap_nothing_is_learnt():
    model = build().train()
    losses = model(**batch(model, boxes=boxes_apart()), mode='loss')
    losses['loss_consistency'].backward()
    assert losses['loss_consistency'] == losses['cosine'] == losses['num_positives'] == 0
    assert losses['no_overlap'] == 1
    assert all(not parameter.grad.any() for parameter in model.student.parameters())


def test_target_with_momentum_bn():
    """Layers, names and eps; a step with two views is one update of the target's own statistics."""
    norm = {'type': 'mmssl.MomentumBN', 'coefficient': 0.7, 'forwards_per_update': 2}
    model = build(teacher={'norm_cfg': norm, 'alpha': 0.9, 'end_alpha': None}).train()
    layers = [layer for layer in model.teacher.model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    assert len(layers) > 20 and all(type(layer) is MomentumBN for layer in layers)
    assert {(round(layer.coefficient, 6), layer.eps) for layer in layers} == {(0.7, 1e-3)}
    assert not any(isinstance(layer, MomentumBN) for layer in model.student.modules())
    assert model.teacher.model.state_dict().keys() == model.student.state_dict().keys()

    data = batch(model)
    model(**data, mode='loss')
    assert {int(layer.num_batches_tracked) for layer in layers} == {1}
    assert {int(v) for k, v in model.student.state_dict().items() if k.endswith('tracked')} == {2}
    # No past yet: both views are normalised by themselves, and the average of their statistics is kept.
    first = layers[0]
    inputs = []
    handle = first.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    for layer in layers:
        layer.reset_running_stats()
    model(**data, mode='loss')
    handle.remove()
    means = torch.stack([one.mean((0, 2, 3)) for one in inputs])
    torch.testing.assert_close(first.running_mean, means.mean(0))
    # Scale and shift follow the student; the statistics stay the target's own.
    with torch.no_grad():
        for parameter in model.student.parameters():
            parameter.add_(1)
    before = {name: value.clone() for name, value in model.teacher.model.state_dict().items()}
    model.teacher.update(model.student)
    for name, value in model.teacher.model.state_dict().items():
        if name in dict(model.student.named_parameters()):
            torch.testing.assert_close(value, before[name] + 0.1, rtol=0, atol=1e-5)
        else:
            assert torch.equal(value, before[name]), name


def test_momentum_of_the_target_rises_to_one():
    model = build()
    model.teacher.plan(100)
    found = []
    for step in (0, 50, 100, 200):
        model.teacher._steps = step
        found.append(model.teacher.current_alpha())
    assert found == pytest.approx([0.99, 0.995, 1, 1])


def test_standard_deviation_of_features():
    torch.manual_seed(0)
    anywhere = [torch.randn(20, 64, 16, 16) for _ in range(2)]
    assert feature_std(anywhere).item() == pytest.approx(1 / 8, rel=0.01)
    lengths = torch.rand(20, 1, 16, 16) + 0.1
    assert feature_std([one * lengths for one in anywhere]).item() == pytest.approx(1 / 8, rel=0.01)
    assert feature_std([torch.rand(64)[None, :, None, None] * lengths]).item() < 1e-6
    # Half of the pixels +e1, half -e1: deviation 1 in one channel of four.
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0]).view(1, 1, 2, 2) * torch.tensor([1.0, 0, 0, 0]).view(1, 4, 1, 1)
    assert feature_std([signs]).item() == 0.25


def test_one_model_of_the_registry_gives_the_backbones_maps():
    model = build()
    assert isinstance(model, MODELS.get('mmssl.PixPro')) and model.backbone is model.student.backbone
    maps = model.eval()(torch.zeros(2, 3, SIDE, SIDE))
    assert maps[-1].shape == (2, 16, 8, 8)


def test_mmpretrain_backbones():
    """ResNet-18 at stride 16 with a target of Momentum BN: names pair up, maps of the size that the strides say."""
    resnet = {
        'type': 'ResNet',
        'depth': 18,
        'strides': (1, 2, 2, 1),
        'dilations': (1, 1, 1, 2),
        'out_indices': (3,),
        'norm_cfg': {'type': 'BN'},
    }
    neck = {
        'type': 'mmssl.ConvProjector',
        'in_channels': 512,
        'hidden_channels': 16,
        'out_channels': CHANNELS,
        'norm_cfg': {'type': 'BN'},
    }
    model = build(backbone=resnet, neck=neck, teacher={'norm_cfg': {'type': 'mmssl.MomentumBN'}}).train()
    model.wants_record = True
    losses = model(**batch(model), mode='loss')
    assert torch.isfinite(losses['loss_consistency'])
    assert model.record.online[0].shape == (3, CHANNELS, 4, 4)


VIT = {
    'type': 'VisionTransformer',
    'arch': {'embed_dims': 16, 'num_layers': 1, 'num_heads': 2, 'feedforward_channels': 16},
    'img_size': SIDE,
    'patch_size': 16,
    'out_type': 'featmap',
}


def test_a_transformer_backbone_without_batch_norm():
    """Its maps are compared like those of others; the target has no statistics of its own."""
    model = build(backbone=VIT).train()
    model.wants_record = True
    losses = model(**batch(model), mode='loss')
    losses['loss_consistency'].backward()
    assert model.record.online[0].shape == (3, CHANNELS, 4, 4)
    assert model.student.backbone.patch_embed.projection.weight.grad.any()
    model = build(backbone={**VIT, 'out_type': 'cls_token'}).train()
    with pytest.raises(ValueError, match=r'VisionTransformer gives \(3, 16\), expected maps'):
        model(**batch(model), mode='loss')


@pytest.mark.parametrize(
    ('change', 'error', 'match'),
    [
        ({'teacher': {'alpha': 2.0}}, ValueError, 'alpha=2.0'),
        ({'teacher': {'end_alpha': 0.5}}, ValueError, 'end_alpha=0.5'),
        ({'teacher': {'rampp': True}}, TypeError, 'rampp'),
        ({'propagation': {'type': 'mmssl.PPM', 'gamma': 0.0}}, ValueError, 'gamma=0.0'),
        ({'teacher': {'norm_cfg': {'type': 'GN', 'num_groups': 2}}}, ValueError, 'teacher has no'),
        (
            {
                'backbone': {'type': 'mmssl.ERFNetEncoder', 'widths': (4, 8, 16)},
                'teacher': {'norm_cfg': {'type': 'mmssl.MomentumBN'}},
            },
            ValueError,
            'no norm_cfg to replace',
        ),
    ],
)
def test_options_that_do_not_fit(change, error, match):
    with pytest.raises(error, match=match):
        build(**change)


def test_bad_input():
    model = build().train()
    data = batch(model)
    with pytest.raises(ValueError, match='3 views found, 2 expected'):
        model([*data['inputs'], data['inputs'][0]], data['data_samples'], mode='loss')
    with pytest.raises(ValueError, match="mode='predict'"):
        model(data['inputs'], data['data_samples'], mode='predict')
    for sample in data['data_samples']:
        del sample.boxes
    with pytest.raises(DataError, match='views without coordinates: no boxes'):
        model(**data, mode='loss')
    fresh = PixPro(
        backbone={'type': 'mmssl.ERFNetEncoder', 'widths': (4, 8, 16)},
        neck={'type': 'mmssl.ConvProjector', 'in_channels': 16, 'hidden_channels': 4, 'out_channels': 4},
    )
    with pytest.raises(DataError, match='never synchronised: add mmssl.MeanTeacherHook'):
        fresh(**batch(model), mode='loss')
    local = build(propagation={'type': 'mmssl.LocalPPM', 'in_channels': CHANNELS, 'frame_size': 9}).train()
    with pytest.raises(ValueError, match='map of 8x8 pixels, expected at least one frame of 9x9'):
        local(**batch(local), mode='loss')
