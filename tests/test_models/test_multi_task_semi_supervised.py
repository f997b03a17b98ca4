"""Pretext tasks beside ClassMix: what each of the two does is what it does alone."""

import copy

import pytest
import torch
from mmengine.structures import PixelData
from multi_task_cases import COLOUR, ROTATION, SEGMENTOR, batch, running

from mmssl.registry import MODELS
from mmssl.testing import paired_batch, synthetic_labels

pytestmark = pytest.mark.usefixtures('mmseg_scope')
SIZE, CLASSES = (32, 32), 5
SEMI = {
    'type': 'mmssl.SemiSupervisedSegmentor',
    'segmentor': SEGMENTOR,
    'mixing': {'type': 'mmssl.ClassMix'},
    'weighting': {'type': 'mmssl.ConstantWeighting'},
    'teacher': {'alpha': 0.6},
    'distribution_alignment': {'target': [1.0] * CLASSES},
    'augmentations': [{'type': 'mmssl.BatchColorJitter'}],
}
WEIGHTS = {'colour': 0.5, 'rotation': 2.0}
MODELS_OF_TASKS = {'colour': COLOUR, 'rotation': ROTATION}
MODES = ('joint', 'sequential')


def build(schedules: dict | None = None, semi: dict = SEMI, **options):
    """The joint model, with a weight or a schedule for each task."""
    torch.manual_seed(0)
    schedules = schedules or {name: {'weight': weight} for name, weight in WEIGHTS.items()}
    tasks = {name: {'model': MODELS_OF_TASKS[name], **schedule} for name, schedule in schedules.items()}
    model = MODELS.build({'type': 'mmssl.MultiTaskSegmentor', 'segmentor': semi, 'tasks': tasks, **options})
    return started(model.train(), model.segmentor)


def alone(model):
    """The same semi-supervised segmentor without tasks."""
    semi = copy.deepcopy(model.segmentor)
    return started(semi, semi)


def started(model, semi):
    semi.teacher.synchronize(semi.student)
    model.begin_iteration(0, 3)
    return model


def joint_batch(seed: int = 0) -> dict:
    data, pairs = batch(), paired_batch(CLASSES, size=SIZE, seed=seed)
    return {key: {**data[key], 'segmentation': pairs[key]} for key in data}


def prepared(model, data: dict, dtype=torch.float32) -> dict:
    data = model.data_preprocessor(copy.deepcopy(data), True)
    return {'inputs': cast(data['inputs'], dtype), 'data_samples': data['data_samples']}


def cast(inputs, dtype):
    return {key: cast(each, dtype) for key, each in inputs.items()} if isinstance(inputs, dict) else inputs.to(dtype)


def segmentation(data: dict) -> dict:
    return {key: each['segmentation'] for key, each in data.items()}


def trained(model, semi, batches: list[dict]) -> list[dict]:
    """A step of SGD and of the teacher for each batch, as the Runner does it; what is logged."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    logs = []
    for iteration, data in enumerate(batches):
        model.begin_iteration(iteration, 3)
        losses = model.loss(**prepared(model, data))
        loss, told = model.parse_losses(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        semi.teacher.update(semi.student)
        logs.append({key: value.item() for key, value in told.items()})
    return logs


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize(
    'schedule', [{'weight': 0.0}, {'weight': 1.0, 'begin': 50, 'end': 60, 'shape': 'linear'}], ids=['zero', 'later']
)
def test_without_a_weight_it_is_the_semi_supervised_training_bit_by_bit(mode, schedule):
    model = build(dict.fromkeys(WEIGHTS, schedule), mode=mode)
    plain = alone(model)
    batches = [joint_batch(seed) for seed in range(4)]
    joint_logs = trained(model, model.segmentor, batches)
    logs = trained(plain, plain, [segmentation(data) for data in batches])
    found, expected = model.segmentor.state_dict(), plain.state_dict()
    assert found.keys() == expected.keys()
    assert [name for name, value in found.items() if not torch.equal(value, expected[name])] == []
    moved = [name for name, value in build().segmentor.state_dict().items() if not torch.equal(value, found[name])]
    for part in ('student.', 'teacher.model.', 'student.backbone.layers.1.bn.running_mean', 'strong_view.alignment'):
        assert any(name.startswith(part) for name in moved), part
    for one, other in zip(joint_logs, logs, strict=True):
        assert one['segmentation.unweighted'] == one['loss'] == other['loss']
        assert one['segmentation.decode.ce'] == other['decode.loss_ce']
        assert one['segmentation.unlabeled'] == other['loss_unlabeled'] > 0


@pytest.mark.parametrize(
    'options', [{}, {'mode': 'sequential'}, {'checkpointing': True}, {'mode': 'sequential', 'checkpointing': True}]
)
def test_gradients_are_the_sums_of_classmix_and_of_the_tasks(options):
    model = build(**options).double()
    plain, data = alone(model), prepared(model, joint_batch(), torch.double)
    passes = []
    model.encoder.layers['1'].register_forward_pre_hook(lambda *_: passes.append(1))
    losses = model.loss(**data)
    losses['loss'].backward()
    # Labelled, mixed, and the tasks': together where the graph is one. Made again where nothing is kept.
    expected_passes = 4 if model.mode == 'sequential' else 3
    assert len(passes) == expected_passes * (2 if model.checkpointing else 1)

    own, _ = plain.parse_losses(plain.loss(**segmentation(data)))
    own.backward()
    statistics = running(plain.student)
    expected = {name: value.grad for name, value in plain.student.named_parameters()}
    total = own.item()
    for name, weight in WEIGHTS.items():
        cfg = {**MODELS_OF_TASKS[name], 'backbone': SEGMENTOR['backbone']}
        task = MODELS.build(cfg).double().train()
        encoder = build().double().encoder.state_dict()
        heads = model.tasks[name].state_dict()
        task.load_state_dict({**heads, **{f'backbone.{key}': value for key, value in encoder.items()}})
        loss, _ = task.parse_losses(task.loss(data['inputs'][name], data['data_samples'][name]))
        (weight * loss).backward()
        total += weight * loss.item()
        for key, value in task.named_parameters():
            if key.startswith('backbone.'):
                expected[key] = expected[key] + value.grad
            else:
                found = model.get_parameter(f'tasks.{name}.{key}').grad
                assert (found - value.grad).abs().max() <= 1e-9 * value.grad.abs().max() + 1e-12
    assert losses['loss'].item() == pytest.approx(total, rel=1e-12)
    found = torch.cat([value.grad.flatten() for value in model.segmentor.student.parameters()])
    expected = torch.cat([value.flatten() for value in expected.values()])
    assert (found - expected).abs().max() < 1e-6 * expected.abs().max()
    # The images of the segmentation alone, labelled and mixed, have moved the running statistics.
    assert torch.allclose(running(model.segmentor.student), statistics, rtol=1e-12, atol=1e-12)
    assert all(value.grad is None for value in model.segmentor.teacher.parameters())


def test_the_teacher_is_a_segmentor_without_pretext_heads():
    model = build()
    plain = MODELS.build(SEGMENTOR)
    assert model.segmentor.teacher.model.state_dict().keys() == plain.state_dict().keys()
    assert model.encoder is model.segmentor.student.backbone
    assert all(task.backbone._encoder[0] is model.encoder for task in model.tasks.values())
    ours = {id(value) for value in model.segmentor.teacher.parameters()}
    assert ours.isdisjoint(id(value) for value in model.segmentor.student.parameters())


def other_pairs(kind: str) -> dict:
    """The batch with other unlabelled images, or with masks of theirs."""
    data = joint_batch()
    if kind == 'images':
        images = data['inputs']['segmentation']
        images['unlabeled'] = [255 - image for image in images['unlabeled']]
    else:
        masks = synthetic_labels(SIZE, 2, CLASSES, seed=9)
        for sample, mask in zip(data['data_samples']['segmentation']['unlabeled'], masks, strict=True):
            sample.gt_sem_seg = PixelData(data=mask)
    return data


@pytest.mark.parametrize('mode', MODES)
def test_unlabelled_images_never_touch_the_supervised_loss(mode):
    found = {}
    for kind in ('none', 'images', 'masks'):
        model = build(mode=mode)
        data = joint_batch() if kind == 'none' else other_pairs(kind)
        losses = model.loss(**prepared(model, data))
        losses['loss'].backward()
        gradients = torch.cat([value.grad.flatten() for value in model.parameters() if value.grad is not None])
        found[kind] = losses, gradients
    first, gradients = found['none']
    images, other = found['images']
    assert torch.equal(first['segmentation.decode.ce'], images['segmentation.decode.ce'])
    assert not torch.equal(first['segmentation.unlabeled'], images['segmentation.unlabeled'])
    assert not torch.equal(gradients, other)
    masks, same = found['masks']
    assert all(torch.equal(value, masks[key]) for key, value in first.items()) and first.keys() == masks.keys()
    assert torch.equal(gradients, same)


def test_the_segmentor_is_told_the_iteration_and_seed_of_the_joint_run():
    semi = {**SEMI, 'burn_in': 5}
    model = build(semi=semi)
    plain = alone(model)
    for iteration in (4, 5):
        model.begin_iteration(iteration, 3)
        plain.begin_iteration(iteration, 3)
        assert model.segmentor.iteration == plain.iteration == iteration
        assert model.segmentor._draw_seed == plain._draw_seed is not None
        told = model.loss(**prepared(model, joint_batch()))
        assert ('segmentation.unlabeled' in told) == (iteration == 5)


def test_predictions_are_those_of_the_network_that_is_asked_for():
    for which in ('student', 'teacher'):
        model = build(semi={**SEMI, 'predict_on': which})
        trained(model, model.segmentor, [joint_batch(seed) for seed in range(2)])
        network = {'student': model.segmentor.student, 'teacher': model.segmentor.teacher.model}[which]
        model.eval()
        images = torch.randn(1, 3, *SIZE)
        assert torch.equal(model(images, mode='tensor'), network(images, mode='tensor'))
