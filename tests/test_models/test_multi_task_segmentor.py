"""Segmentation with pretext tasks on one encoder."""

import copy
import re

import pytest
import torch
from multi_task_cases import COLOUR, ROTATION, SEGMENTOR, TASKS, batch, build, gradients, running, step

from mmssl.errors import DataError
from mmssl.registry import MODELS

pytestmark = pytest.mark.usefixtures('mmseg_scope')


def apart() -> tuple[torch.Tensor, dict, torch.Tensor]:
    """Gradients, losses and running statistics from one model a task, which share nothing but equal weights."""
    joint, data = build(), batch()
    reference = copy.deepcopy(joint)
    prepared = reference.data_preprocessor(data, True)
    inputs = {name: images.double() for name, images in prepared['inputs'].items()}
    losses = {}
    for name, weight in (('colour', 0.5), ('rotation', 2.0), ('segmentation', 1.0)):
        model = reference.model_of(name)
        kept = copy.deepcopy(reference.encoder.state_dict())
        losses[name], _ = model.parse_losses(model.loss(inputs[name], prepared['data_samples'][name]))
        (weight * losses[name]).backward()
        if name != 'segmentation':  # photographs alone move the running statistics
            reference.encoder.load_state_dict(kept)
    return gradients(reference), losses, running(reference)


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'mode': 'sequential'},
        {'checkpointing': True},
        {'mode': 'sequential', 'checkpointing': True},
        {'max_images': 5},
        {'max_images': 1},
        {'probe_interval': 1},
        {'mode': 'sequential', 'probe_interval': 1},
    ],
    ids=str,
)
def test_every_way_equals_a_pass_for_each_task(options):
    expected, losses, statistics = apart()
    model = build(**options)
    result = step(model)
    assert (gradients(model) - expected).abs().max() < 1e-9 * expected.abs().max()
    assert torch.allclose(running(model), statistics, rtol=1e-12, atol=1e-12)
    for name, weight in (('colour', 0.5), ('rotation', 2.0), ('segmentation', 1.0)):
        assert float(result[f'{name}.unweighted']) == pytest.approx(float(losses[name]), rel=1e-12)
        assert float(result[f'{name}.weighted']) == pytest.approx(weight * float(losses[name]), rel=1e-12)
    total = float(losses['segmentation'] + 0.5 * losses['colour'] + 2 * losses['rotation'])
    assert float(result['loss']) == pytest.approx(total, rel=1e-12)
    assert [key for key in result if 'loss' in key] == ['loss']  # what is summed


@pytest.mark.parametrize(
    ('size', 'limit', 'passes'), [(32, None, [9]), (32, 5, [5, 4]), (32, 1, [2, 3, 4]), (64, None, [5, 4])]
)
def test_images_of_one_size_pass_together(size, limit, passes):
    model, seen = build(max_images=limit), []
    model.encoder.layers['1'].register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    step(model, batch(size))
    assert seen == passes


def test_gradient_norms_and_cosines():
    for mode in ('joint', 'sequential'):
        model = build(mode=mode, probe_interval=2)
        result = step(model)
        alone = {}
        for name in ('segmentation', 'colour', 'rotation'):
            other = build()
            data = other.data_preprocessor(batch(), True)
            part, samples = data['inputs'][name].double(), data['data_samples'][name]
            loss, _ = other.parse_losses(other.model_of(name).loss(part, samples))
            weight = TASKS.get(name, {'weight': 1.0})['weight']
            found = torch.autograd.grad(weight * loss, list(other.encoder.parameters()))
            alone[name] = torch.cat([each.flatten() for each in found])
        for name, gradient in alone.items():
            assert float(result[f'{name}.grad_norm']) == pytest.approx(float(gradient.norm()), rel=1e-5)
        main = alone.pop('segmentation')
        for name, gradient in alone.items():
            cosine = float(gradient @ main / gradient.norm() / main.norm())
            assert float(result[f'{name}.grad_cosine']) == pytest.approx(cosine, abs=1e-5)
        model.begin_iteration(1, 0)
        assert not any('grad' in key for key in step(model))


def test_weights_move_with_the_iteration_and_zero_leaves_a_task_out():
    ramp = {'model': COLOUR, 'weight': 2.0, 'begin': 10, 'end': 20, 'shape': 'linear'}
    for mode in ('joint', 'sequential'):
        model = build({'colour': ramp, 'rotation': {'model': ROTATION}}, mode=mode)
        result = step(model)
        assert 'colour.unweighted' not in result
        assert model.tasks['colour'].decode_head.conv_seg.weight.grad is None
        model.begin_iteration(15, 0)
        result = step(model)
        assert float(result['colour.weighted']) == pytest.approx(float(result['colour.unweighted']), rel=1e-12)


def test_pretext_images_never_touch_the_segmentation_loss():
    """Other unlabelled images change no number of the segmentation, nor what predictions are made with."""
    first, second, data = build(), build(), batch()
    changed = batch()
    for name in ('colour', 'rotation'):
        changed['inputs'][name] = [255 - image for image in changed['inputs'][name]]
    a, b = step(first, data), step(second, changed)
    assert torch.equal(a['segmentation.unweighted'], b['segmentation.unweighted'])
    assert not torch.equal(a['colour.unweighted'], b['colour.unweighted'])
    assert torch.equal(running(first.segmentor), running(second.segmentor))


def test_joint_statistics_are_those_of_all_images():
    model, seen = build(norm_statistics='joint'), []
    layer = next(each for each in model.encoder.modules() if isinstance(each, torch.nn.BatchNorm2d))
    layer.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    step(model)
    (images,) = seen
    assert len(images) == 9
    assert torch.allclose(layer.running_mean, 0.1 * images.mean((0, 2, 3)), rtol=1e-9)
    assert int(layer.num_batches_tracked) == 1


def test_switchable_normalisation_is_by_task_too():
    norm = {'type': 'mmssl.SwitchNorm2d'}
    segmentor = copy.deepcopy(SEGMENTOR)
    segmentor['backbone']['norm_cfg'] = norm
    ways = [build(segmentor=segmentor, **options) for options in ({}, {'mode': 'sequential'}, {'checkpointing': True})]
    results = [(step(model)['loss'], gradients(model), running(model)) for model in ways]
    for found in results[1:]:
        for one, other in zip(results[0], found, strict=True):
            assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)
    changed = batch()
    changed['inputs']['colour'] = [255 - image for image in changed['inputs']['colour']]
    other = build(segmentor=segmentor)
    step(other, changed)
    assert torch.equal(running(other.segmentor), running(ways[0].segmentor))


def test_the_encoder_is_saved_once_and_predictions_are_the_segmentors():
    model = build()
    names = [name for name in model.state_dict() if 'backbone' in name]
    assert names and all(name.startswith('segmentor.backbone.') for name in names)
    plain = MODELS.build(SEGMENTOR).double().eval()
    state = model.segmentor.state_dict()
    plain.load_state_dict(state)
    model.eval()
    images = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    assert torch.equal(model(images, mode='tensor'), plain(images, mode='tensor'))
    data = {'inputs': batch()['inputs']['segmentation'], 'data_samples': batch()['data_samples']['segmentation']}
    prepared = model.data_preprocessor(data)
    assert torch.equal(prepared['inputs'], plain.data_preprocessor(data)['inputs'])


def test_a_copy_shares_its_own_encoder():
    model = build()
    twin = copy.deepcopy(model)
    assert twin.tasks['colour'].backbone._encoder[0] is twin.encoder is not model.encoder
    assert torch.equal(step(model)['loss'], step(twin)['loss'])


def test_nothing_is_kept_from_one_step_to_the_next():
    for mode in ('joint', 'sequential'):
        model = build(mode=mode, checkpointing=True)
        before = set(model.__dict__), [set(each.__dict__) for each in model.modules()]
        step(model)
        assert (set(model.__dict__), [set(each.__dict__) for each in model.modules()]) == before


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'mode': 'both'}, "mode='both', expected one of"),
        ({'norm_statistics': 'all'}, "norm_statistics='all', expected one of"),
        ({'mode': 'sequential', 'norm_statistics': 'joint'}, 'sequential tasks have no joint statistics'),
        ({'max_images': 0}, 'max_images=0'),
        ({'probe_interval': -1}, 'probe_interval=-1'),
        ({'tasks': {'a': {'model': {**COLOUR, 'backbone': SEGMENTOR['backbone']}}}}, "task 'a': its model has a backb"),
        ({'tasks': {'a': {'model': {'type': 'EncoderDecoder'}}}}, "task 'a': model=.*expected the config of a model"),
        ({'tasks': {'a': {}}}, "task 'a': model=None, expected"),
        ({'tasks': {'segmentation': {'model': COLOUR}}}, "task 'segmentation': expected another name"),
        ({'tasks': {'a': {'model': COLOUR, 'weight': -1}}}, "task 'a': weight=-1, expected 0 or more"),
        ({'tasks': {'a': {'model': COLOUR, 'wait': 1}}}, "task 'a': .*unexpected keyword argument 'wait'"),
        ({'balance': {'type': 'mmssl.UncertaintyBalance', 'regression': ('b',)}}, r"regression names \['b'\]"),
    ],
)
def test_mistakes(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'bgr_to_rgb': False}, 'channel conversion=False, that of the segmentation True'),
        ({'mean': [0.0, 0.0, 0.0]}, r'mean=\[0.0, 0.0, 0.0\], that of the segmentation \[123.67'),
        ({'std': [1.0, 1.0, 1.0]}, r'std=\[1.0, 1.0, 1.0\], that of the segmentation \[58.39'),
        ({'mean': None, 'std': None}, r'mean=None, that of the segmentation \[123.67'),
    ],
)
def test_inputs_that_one_encoder_cannot_read_alike(settings, message):
    model = {**COLOUR, 'data_preprocessor': {**SEGMENTOR['data_preprocessor'], **settings}}
    with pytest.raises(ValueError, match=f"task 'a': its data preprocessor has {message}.*expected the same"):
        build({'a': {'model': model}})


def test_a_task_of_other_channels_is_named():
    model, data = build(), batch()
    data['inputs']['rotation'] = [image[:1] for image in data['inputs']['rotation']]
    preprocessor = model.data_preprocessor.tasks['rotation']
    preprocessor.mean, preprocessor.std = preprocessor.mean[:1], preprocessor.std[:1]
    preprocessor.to_rgb = False
    with pytest.raises(DataError, match="task 'rotation': images of 1 channels, those of the segmentation have 3"):
        model.data_preprocessor(data, True)


def test_no_task():
    cfg = {'type': 'mmssl.MultiTaskSegmentor', 'segmentor': SEGMENTOR, 'tasks': {}}
    with pytest.raises(ValueError, match='no task found'):
        MODELS.build(cfg)


def test_batches_that_do_not_fit():
    model, data = build(iteration=None), batch()
    with pytest.raises(DataError, match='no iteration was told: add mmssl.MultiTaskHook'):
        step(model)
    model.begin_iteration(0, 0)
    with pytest.raises(DataError, match='a batch without tasks'):
        model.loss(torch.zeros(1, 3, 32, 32), [])
    del data['inputs']['colour']
    with pytest.raises(DataError, match=re.escape("a batch has the tasks ['rotation', 'segmentation'], the model")):
        model.data_preprocessor(data, True)


@pytest.mark.parametrize('mode', ['joint', 'sequential'])
def test_a_loss_that_is_not_finite_is_named(mode):
    model = build(mode=mode, iteration=7)
    with torch.no_grad():
        model.tasks['colour'].decode_head.conv_seg.bias.fill_(float('nan'))
    with pytest.raises(DataError, match='not finite in iteration 7: colour: nan$'):
        step(model)
