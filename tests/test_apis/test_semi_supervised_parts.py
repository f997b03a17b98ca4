"""What benchmark.py --parts measures: a whole step, and parts that add up to its loss."""

import copy

import pytest
import torch

from mmssl.apis import semi_supervised_parts
from mmssl.apis.segmentor_workload import WorkloadSpec, build_workload
from mmssl.apis.semi_supervised_parts import PARTS, build_parts
from mmssl.models.segmentors.semi_supervised import SemiSupervisedSegmentor

SHAPE = (64, 96)
PLAIN = 'configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py'
CONFIG = """
_base_ = [
    '{root}/configs/_base_/models/erfnet.py', '{root}/configs/_base_/schedules/adam_600i.py',
    '{root}/configs/_base_/default_runtime.py', '{root}/configs/_base_/semi/dacs.py']
model = dict(
    _base_.semi, _delete_=True, burn_in=100, weighting=dict(type='mmssl.ConstantWeighting', weight=2.0),
    segmentor=dict(
        _base_.model,
        data_preprocessor=dict(_base_.model.data_preprocessor, size=(192, 256)),
        backbone=dict(_base_.model.backbone, widths=(4, 8, 16), dropout=(0.0, 0.0)),
        decode_head=dict(_base_.model.decode_head, num_classes=11, in_channels=16)))
optim_wrapper = dict(optimizer=dict(_delete_=True, type='SGD', lr=0.1))
"""


@pytest.fixture
def spec(tmp_path, repository, mmseg_scope):
    """A narrow ERFNet with DACS: the parts begin after the burn-in, at the shape asked for, not at the recipe's."""
    path = tmp_path / 'semi.py'
    path.write_text(CONFIG.format(root=repository))
    return WorkloadSpec(str(path), 'train', SHAPE, 2)


@pytest.fixture
def built(spec, monkeypatch):
    """The parts, their model, and the losses that they went back through."""
    models, losses, back = [], [], semi_supervised_parts._backward
    build = semi_supervised_parts.build_segmentor

    def keep_model(*args):
        models.append(build(*args))
        return models[0]

    def keep_loss(loss, model):
        losses.append(loss.item())
        loss.backward()
        back(loss.detach().requires_grad_(), model)

    monkeypatch.setattr(semi_supervised_parts, 'build_segmentor', keep_model)
    monkeypatch.setattr(semi_supervised_parts, '_backward', keep_loss)
    return build_parts(spec), models[0], losses


def state(model, *prefixes):
    values = model.state_dict().items()
    return {name: value.clone() for name, value in values if name.startswith(prefixes)}


def changed(model, before) -> set[str]:
    now = model.state_dict()
    return {name for name in before if not torch.equal(before[name], now[name])}


def test_the_parts_add_up_to_the_loss_of_a_step(built, monkeypatch):
    """Labelled and mixed loss, measured apart, are the one that the step goes back through; the masks are the same."""
    parts, model, losses = built
    for part in parts.parts.values():
        part()
    assert tuple(parts.parts) == PARTS
    assert len(losses) == 2 and min(losses) > 0.1
    total = []
    parse = model.parse_losses
    monkeypatch.setattr(model, 'parse_losses', lambda found: total.append(parse(found)) or total[-1])
    parts.step()
    assert total[0][0].item() == pytest.approx(sum(losses), rel=1e-5)
    assert 'loss_unlabeled' in total[0][1]  # after the burn-in of 100 iterations


def test_a_step_trains_the_student_and_moves_the_teacher(built):
    parts, model, _ = built
    student, teacher = state(model, 'student.'), state(model, 'teacher.model.')
    parts.step()
    assert len(changed(model, student)) > 0.9 * len(student)
    assert len(changed(model, teacher)) > 0.9 * len(teacher)
    assert model.teacher.num_steps == 1
    parts.step()
    assert model.teacher.num_steps == 2


def test_steps_leave_the_batch_as_it_is(built, monkeypatch):
    """It is the same one in every step: copying it would count as a part of the step."""
    parts, model, _ = built
    batches = []
    step = model.train_step
    monkeypatch.setattr(model, 'train_step', lambda data, wrapper: batches.append(data) or step(data, wrapper))
    parts.step()
    before = copy.deepcopy(batches[0])
    parts.step()
    assert batches[0] is batches[1]
    for name in ('labeled', 'unlabeled'):
        for now, then in zip(batches[0]['inputs'][name], before['inputs'][name], strict=True):
            assert now.dtype == torch.uint8 and torch.equal(now, then)
        for now, then in zip(batches[0]['data_samples'][name], before['data_samples'][name], strict=True):
            assert now.metainfo == then.metainfo
            assert now.keys() == then.keys()
    masks = [sample.gt_sem_seg.data for sample in batches[0]['data_samples']['labeled']]
    assert all(
        torch.equal(mask, then.gt_sem_seg.data)
        for mask, then in zip(masks, before['data_samples']['labeled'], strict=True)
    )
    assert {tuple(mask.shape) for mask in masks} == {(1, *SHAPE)}


def test_parts_leave_weights_and_no_gradient(built):
    parts, model, _ = built
    before = state(model, 'student.', 'teacher.')
    for run in (*parts.parts.values(), parts.mixing):
        run()
    assert all(name.endswith(('running_mean', 'running_var', 'num_batches_tracked')) for name in changed(model, before))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.teacher.num_steps == 0


def test_each_part_runs_what_its_name_says(built):
    """Forward passes of each network, and the size that they see."""
    parts, model, _ = built
    passes = []
    for name, network in (('student', model.student), ('teacher', model.teacher.model)):
        network.backbone.register_forward_pre_hook(lambda _, inputs, name=name: passes.append((name, *inputs[0].shape)))
    found = {}
    for name, run in {**parts.parts, 'mixing': parts.mixing, 'step': parts.step}.items():
        passes.clear()
        run()
        found[name] = list(passes)
    student, teacher = (('student', 2, 3, *SHAPE), ('teacher', 2, 3, *SHAPE))
    assert found == {
        'teacher on unlabelled': [teacher],
        'student on labelled': [student],
        'student on mixed': [student],
        'mixing': [],
        'step': [student, teacher, student],
    }


def test_a_graph_of_the_teacher_would_be_seen(spec, built, monkeypatch):
    assert built[0].graph_of_teacher is False
    monkeypatch.setattr(SemiSupervisedSegmentor, 'teach', lambda model, images: model.student_scores(images).softmax(1))
    assert build_parts(spec).graph_of_teacher is True


def test_a_plain_segmentor_has_no_parts(repository, mmseg_scope):
    config = str(repository / PLAIN)
    with pytest.raises(ValueError, match='EncoderDecoder found, a SemiSupervisedSegmentor expected') as found:
        build_parts(WorkloadSpec(config, 'train', SHAPE, 2))
    assert config in str(found.value) and '\n' not in str(found.value)


def test_the_plain_benchmark_takes_a_semi_supervised_recipe_too(spec):
    train = build_workload(spec)
    losses = train.step()
    assert losses['loss_unlabeled'] > 0 and torch.isfinite(losses['loss'])
    options = {'model.predict_on': 'teacher'}  # without a checkpoint there is none
    folded = build_workload(WorkloadSpec(spec.config, 'inference', SHAPE, 2, options=options))
    assert [tuple(result.pred_sem_seg.data.shape) for result in folded.step()] == [(1, *SHAPE)] * 2
    assert folded.norms_left < folded.norms


def test_shares_that_a_hook_counts_are_even(spec):
    """What the labelled masks would say does not change the time."""
    options = {'model.distribution_alignment': {'target': 'labeled'}}
    built = build_parts(WorkloadSpec(spec.config, 'train', SHAPE, 2, options=options))
    built.step()
    built.mixing()
