"""The teacher in closed form (S2, equation 2.16)."""

import copy

import pytest
import torch
from torch import nn

from mmssl.errors import DataError
from mmssl.models.layers.momentum_bn import MomentumBN
from mmssl.models.layers.switch_norm import SwitchNorm2d
from mmssl.models.teachers.mean_teacher import MeanTeacher, ramped_alpha, rising_alpha


def make_student():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Dropout(0.5))


def train_a_little(student):
    """Change weights and statistics, as a step of training does."""
    student.train()
    student(torch.randn(4, 2, 5, 5))
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(torch.randn_like(parameter))


def test_ramp():
    assert [ramped_alpha(step, 0.99) for step in (0, 1, 3, 98, 99, 100, 5000)] == pytest.approx(
        [0, 0.5, 0.75, 1 - 1 / 99, 0.99, 0.99, 0.99]
    )


@pytest.mark.parametrize('ramp', [True, False])
@pytest.mark.parametrize('buffers', ['ema', 'copy'])
def test_closed_form(ramp, buffers):
    """After n updates: the sum of each state's weight times the state."""
    alpha, steps = 0.6, 7
    student = make_student()
    teacher = MeanTeacher(student, alpha=alpha, ramp=ramp, buffers=buffers)
    train_a_little(student)
    teacher.synchronize(student)
    states = [{name: value.double() for name, value in copy.deepcopy(student.state_dict()).items()}]
    factors = [1.0]
    for step in range(steps):
        train_a_little(student)
        teacher.update(student)
        states.append({name: value.double() for name, value in copy.deepcopy(student.state_dict()).items()})
        now = min(1 - 1 / (step + 1), alpha) if ramp else alpha
        factors = [factor * now for factor in factors] + [1 - now]
    assert sum(factors) == pytest.approx(1)
    assert int(teacher.steps) == teacher.num_steps == steps
    for name, value in teacher.model.state_dict().items():
        expected = sum(factor * state[name] for factor, state in zip(factors, states, strict=True))
        is_buffer = name.startswith('1.running') or name.endswith('tracked')
        if is_buffer and (buffers == 'copy' or name.endswith('tracked')):
            expected = states[-1][name]
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-6, msg=name)


def test_first_update_of_the_ramp_copies_the_student():
    student = make_student()
    teacher = MeanTeacher(student, alpha=0.99)
    teacher.synchronize(student)
    train_a_little(student)
    teacher.update(student)
    for name, value in student.state_dict().items():
        assert torch.equal(teacher.model.state_dict()[name], value), name


def test_own_buffers_are_those_of_its_forward_passes():
    student = make_student()
    teacher = MeanTeacher(student, buffers='own', mode='train').train()
    teacher.synchronize(student)
    images = torch.randn(4, 2, 5, 5) + 3
    expected = 0.1 * student[0](images).mean((0, 2, 3))  # momentum of torch's batch norm, from 0
    teacher.model(images)
    train_a_little(student)
    teacher.update(student)
    torch.testing.assert_close(teacher.model[1].running_mean, expected)
    assert int(teacher.model[1].num_batches_tracked) == 1


@pytest.mark.parametrize(
    ('mode', 'norm', 'dropout'), [('eval', False, False), ('train', True, True), ('train_norm', True, False)]
)
def test_mode_is_the_policys(mode, norm, dropout):
    parent = nn.Module()
    parent.teacher = MeanTeacher(make_student(), mode=mode)
    parent.train()
    assert parent.teacher.model[1].training is norm
    assert parent.teacher.model[2].training is dropout
    parent.eval()
    assert not any(module.training for module in parent.teacher.modules())


def test_train_norm_reaches_switchable_normalisation():
    student = nn.Sequential(nn.Conv2d(2, 3, 1), SwitchNorm2d(3), nn.Dropout(0.5))
    teacher = MeanTeacher(student, mode='train_norm', buffers='own').train()
    assert [module.training for module in teacher.model] == [False, True, False]
    before = teacher.model[1].running_mean.clone()
    teacher.model(torch.randn(4, 2, 5, 5) + 3)
    assert not torch.equal(teacher.model[1].running_mean, before)


def test_needs_no_gradient_and_leaves_the_students():
    student = make_student()
    teacher = MeanTeacher(student)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(parameter.requires_grad for parameter in student.parameters())


def test_the_count_goes_with_checkpoints():
    student = make_student()
    teacher = MeanTeacher(student, alpha=0.9)
    teacher.synchronize(student)
    for _ in range(3):
        train_a_little(student)
        teacher.update(student)
    other = MeanTeacher(make_student(), alpha=0.9)
    assert not other.ready
    other.load_state_dict(teacher.state_dict())
    assert other.ready and other.num_steps == 3
    train_a_little(student)
    teacher.update(student)
    other.update(student)
    for name, value in teacher.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_synchronize_starts_again():
    student = make_student()
    teacher = MeanTeacher(student)
    teacher.synchronize(student)
    teacher.update(student)
    train_a_little(student)
    teacher.synchronize(student)
    assert int(teacher.steps) == teacher.num_steps == 0
    assert torch.equal(teacher.model[0].weight, student[0].weight)


def test_weights_are_paired_by_name():
    teacher = MeanTeacher(make_student())
    with pytest.raises(ValueError, match=r'the teacher has no 3.weight'):
        teacher.update(nn.Sequential(*make_student(), nn.Linear(1, 1, bias=False)))
    other = make_student()
    other[0] = nn.Conv2d(2, 3, 3)
    with pytest.raises(ValueError, match=r'0.weight is \(3, 2, 3, 3\) in the student, \(3, 2, 1, 1\) in the teacher'):
        teacher.update(other)


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'alpha': 1.5}, 'alpha=1.5, expected 0 to 1'),
        ({'buffers': 'mean'}, "buffers='mean', expected one of"),
        ({'mode': 'frozen'}, "mode='frozen', expected one of"),
        ({'buffers': 'own'}, "buffers='own' with mode='eval' never change"),
    ],
)
def test_mistakes_are_named(options, text):
    with pytest.raises(ValueError, match=text):
        MeanTeacher(make_student(), **options)


def test_rising_weight():
    found = [rising_alpha(step, 90, 0.9, 1.0) for step in (0, 30, 45, 60, 90, 500)]
    assert found == pytest.approx([0.9, 0.925, 0.95, 0.975, 1, 1])
    assert rising_alpha(7, 10, 0.99, 0.99) == 0.99


def test_updates_with_a_rising_weight():
    """Half of the way the weight is the mean of start and end; at the end nothing moves."""
    student = make_student()
    teacher = MeanTeacher(student, alpha=0.5, end_alpha=1.0, ramp=False, buffers='copy')
    teacher.synchronize(student)
    with pytest.raises(DataError, match='end_alpha without the number of updates'):
        teacher.update(student)
    teacher.plan(2)
    for weight in (0.5, 0.75, 1.0):
        before = teacher.model[0].weight.clone()
        train_a_little(student)
        teacher.update(student)
        expected = weight * before + (1 - weight) * student[0].weight
        torch.testing.assert_close(teacher.model[0].weight, expected, rtol=0, atol=1e-6)


def test_a_network_of_its_own():
    student = make_student()
    network = nn.Sequential(nn.Conv2d(2, 3, 1), MomentumBN(3), nn.Dropout(0.5))
    teacher = MeanTeacher(student, network=network, buffers='own', mode='train', ramp=False, alpha=0.75)
    assert teacher.model is network and not any(p.requires_grad for p in network.parameters())
    train_a_little(student)
    teacher.synchronize(student)
    assert all(torch.equal(value, student.state_dict()[name]) for name, value in network.state_dict().items())
    with torch.no_grad():
        student[1].weight.add_(4)
    before = network[1].running_mean.clone()
    teacher.update(student)
    torch.testing.assert_close(network[1].weight, student[1].weight - 3)
    assert torch.equal(network[1].running_mean, before)


@pytest.mark.parametrize(
    ('network', 'message'),
    [
        (nn.Sequential(nn.Conv2d(2, 3, 1), nn.GroupNorm(1, 3)), 'teacher has no 1.num_batches_tracked'),
        (nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)), r'0.weight is \(3, 2, 1, 1\) in the student'),
    ],
)
def test_a_network_that_does_not_fit(network, message):
    with pytest.raises(ValueError, match=message):
        MeanTeacher(make_student(), network=network)


@pytest.mark.parametrize('end', [0.4, 1.1])
def test_end_outside_of_its_range(end):
    with pytest.raises(ValueError, match=f'end_alpha={end}, expected alpha=0.5 to 1'):
        MeanTeacher(make_student(), alpha=0.5, end_alpha=end)
