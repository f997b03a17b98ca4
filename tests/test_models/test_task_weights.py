"""Schedules and learned weights of tasks, and gradients that are taken one loss after the other."""

import math

import pytest
import torch
from multi_task_cases import build, step

from mmssl.models.multi_task.grad_norm_balance import GradNormBalance, grad_norm_step
from mmssl.models.multi_task.gradient_conflict import conflict, flat
from mmssl.models.multi_task.sequential_loss import sequential_loss
from mmssl.models.multi_task.task_schedule import TaskSchedule
from mmssl.models.multi_task.uncertainty_balance import uncertainty_loss


def test_schedules_by_hand():
    assert [TaskSchedule(0.3)(iteration) for iteration in (0, 9)] == [0.3, 0.3]
    line = TaskSchedule(2.0, start=1.0, begin=10, end=20, shape='linear')
    assert [line(iteration) for iteration in (0, 9, 10, 15, 19, 20, 99)] == [1, 1, 1, 1.5, 1.9, 2, 2]
    fall = TaskSchedule(0.0, start=1.0, end=4, shape='linear')
    assert [fall(iteration) for iteration in (0, 1, 4)] == [1, 0.75, 0]
    curve = TaskSchedule(3.0, end=10, shape='sigmoid')
    assert curve(0) == pytest.approx(3 * math.exp(-5))
    assert curve(5) == pytest.approx(3 * math.exp(-5 / 4))
    assert curve(10) == 3


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'weight': -0.1}, 'weight=-0.1, expected 0 or more'),
        ({'weight': float('nan')}, 'weight=nan'),
        ({'start': -1.0, 'end': 3, 'shape': 'linear'}, 'start=-1.0'),
        ({'end': 3}, 'beside shape="constant"'),
        ({'shape': 'step'}, "shape='step'"),
        ({'shape': 'linear'}, 'begin=0, end=None'),
        ({'shape': 'linear', 'begin': 3, 'end': 3}, 'begin=3, end=3'),
    ],
)
def test_schedule_mistakes(options, message):
    with pytest.raises(ValueError, match=message):
        TaskSchedule(**options)


def test_uncertainty_by_hand():
    loss, s = torch.tensor(6.0, dtype=torch.float64), torch.tensor(math.log(4.0), dtype=torch.float64)
    # sigma^2 = 4: 6 / 8 + ln 2, and 6 / 4 + ln 2
    assert float(uncertainty_loss(loss, s, True)) == pytest.approx(0.75 + math.log(2))
    assert float(uncertainty_loss(loss, s, False)) == pytest.approx(1.5 + math.log(2))
    # The best variance of a regression is its loss: d/ds of exp(-s) L / 2 + s / 2 is 0 at s = ln L.
    s = torch.tensor(math.log(6.0), dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(uncertainty_loss(loss, s, True), s)
    assert abs(float(gradient)) < 1e-12


@pytest.mark.usefixtures('mmseg_scope')
@pytest.mark.parametrize('mode', ['joint', 'sequential'])
def test_uncertainty_is_learned_beside_the_model(mode):
    model = build(mode=mode, balance={'type': 'mmssl.UncertaintyBalance', 'regression': ('colour',)})
    result = step(model)
    for name, factor, weight in (('segmentation', 1.0, 1.0), ('colour', 0.5, 0.5), ('rotation', 1.0, 2.0)):
        loss = float(result[f'{name}.unweighted'])
        assert float(result[f'{name}.weighted']) == pytest.approx(weight * factor * loss)
        gradient = float(model.balance.log_variance[name].grad)
        assert gradient == pytest.approx(weight * (0.5 - factor * loss))
    assert float(model.balance.weights()['colour']) == 0.5


def slow_grad_norm(weights, norms, losses, first, alpha, rate):
    """GradNorm by autograd and loops, as the paper writes it."""
    w = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
    size = len(weights)
    g = [w[i] * norms[i] for i in range(size)]
    mean = sum(each.item() for each in g) / size
    progress = [losses[i] / first[i] for i in range(size)]
    rates = [each / (sum(progress) / size) for each in progress]
    loss = sum((g[i] - mean * rates[i] ** alpha).abs() for i in range(size))
    (gradient,) = torch.autograd.grad(loss, w)
    moved = [float(w[i]) - rate * float(gradient[i]) for i in range(size)]
    return [each * size / sum(moved) for each in moved]


def test_grad_norm_against_the_slow_one():
    weights, norms, losses, first = [0.5, 1.0, 1.5], [2.0, 0.3, 1.0], [1.0, 0.4, 3.0], [2.0, 0.5, 3.5]
    tensors = [torch.tensor(each, dtype=torch.float64) for each in (weights, norms, losses, first)]
    for alpha in (0.0, 0.12, 1.5):
        found = grad_norm_step(*tensors, alpha, 0.05)
        assert found.tolist() == pytest.approx(slow_grad_norm(weights, norms, losses, first, alpha, 0.05), rel=1e-12)
        assert float(found.sum()) == pytest.approx(3)


def test_grad_norm_makes_the_norms_alike():
    balance = GradNormBalance(alpha=0.0, rate=0.02)
    balance.begin(('a', 'b'))
    norms = {'a': torch.tensor(9.0), 'b': torch.tensor(1.0)}
    losses = {'a': torch.tensor(1.0), 'b': torch.tensor(1.0)}
    for _ in range(400):
        balance.update(norms, losses)
    pulls = [float(norms[name] * weight) for name, weight in balance.weights().items()]
    assert pulls[0] == pytest.approx(pulls[1], rel=0.2)  # 9 to 1 at first; the steps do not shrink
    assert balance.first_losses.tolist() == [1, 1]
    assert float(balance('a', torch.tensor(2.0))) == pytest.approx(2 * float(balance.weights()['a']))
    with pytest.raises(ValueError, match='alpha=-1'):
        GradNormBalance(alpha=-1)


@pytest.mark.usefixtures('mmseg_scope')
def test_grad_norm_is_told_of_unweighted_losses():
    told = []
    for mode in ('joint', 'sequential'):
        model = build(mode=mode, balance={'type': 'mmssl.GradNormBalance'}, probe_interval=1)
        model.balance.weight = torch.tensor([0.5, 1.5, 1.0], dtype=torch.float64)
        kept = {}
        model.balance.update = lambda norms, losses, kept=kept: kept.update(norms=norms, losses=losses)
        result = step(model)
        for name, weight in (('segmentation', 0.5), ('colour', 0.75), ('rotation', 2.0)):
            assert float(kept['norms'][name]) == pytest.approx(float(result[f'{name}.grad_norm']) / weight, rel=1e-6)
            assert torch.equal(kept['losses'][name], result[f'{name}.unweighted'])
        told.append([float(each) for each in kept['norms'].values()])
    assert told[0] == pytest.approx(told[1], rel=1e-6)


@pytest.mark.usefixtures('mmseg_scope')
def test_grad_norm_does_not_change_the_step_it_looks_at():
    plain, balanced = build(), build(balance={'type': 'mmssl.GradNormBalance'})
    assert torch.equal(step(plain)['loss'], step(balanced)['loss'])
    assert not torch.equal(balanced.balance.weight, torch.ones(3, dtype=torch.float64))
    assert float(balanced.balance.weight.sum()) == pytest.approx(3)
    assert {'balance.weight', 'balance.first_losses'} <= set(balanced.state_dict())


def test_conflict_by_hand():
    like = [torch.zeros(1), torch.zeros(2)]
    vectors = {
        'main': flat([torch.tensor([3.0]), None], like),
        'with': flat([torch.tensor([2.0]), torch.zeros(2)], like),
        'against': flat([torch.tensor([-3.0]), torch.tensor([0.0, 4.0])], like),
        'none': flat([None, None], like),
    }
    assert vectors['main'].tolist() == [3, 0, 0]
    norms, cosines = conflict(vectors, 'main')
    assert [float(norm) for norm in norms.values()] == [3, 2, 5, 0]
    assert {name: round(float(cosine), 6) for name, cosine in cosines.items()} == {
        'with': 1,
        'against': -0.6,
        'none': 0,
    }


def test_sequential_loss_by_hand():
    a, b = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (2.0, 5.0))
    seen = []
    total, values = sequential_loss(
        [lambda: a**2, lambda: 3 * a * b, lambda: b.detach() * 0 + 1],
        [a, b],
        lambda number, found: seen.append((number, [None if each is None else float(each) for each in found])),
    )
    assert float(total) == 4 + 30 + 1
    assert [float(value) for value in values] == [4, 30, 1]
    assert seen == [(0, [4, None]), (1, [15, 6]), (2, [None, None])]
    (8 * total).backward()  # a loss scale
    assert (float(a.grad), float(b.grad)) == (8 * (4 + 15), 8 * 6)


def test_sequential_loss_holds_one_graph():
    """Of the tensors that graphs save, as many are alive at once for five losses as for one."""
    weight = torch.randn(8, 8, requires_grad=True)
    alive, most = 0, 0

    class Held:
        def __init__(self, tensor):
            nonlocal alive, most
            self.tensor = tensor
            alive += 1
            most = max(most, alive)

        def __del__(self):
            nonlocal alive
            alive -= 1

    def loss():
        return (weight @ weight).relu().exp().mean()

    peaks = []
    for count in (1, 5):
        most = 0
        with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
            sequential_loss([loss] * count, [weight])
        assert alive == 0
        peaks.append(most)
    assert peaks == [4, 4]  # two factors, what passed the ReLU, the exponential


def test_sequential_loss_mistakes():
    weight = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match='no parameter with a gradient'):
        sequential_loss([lambda: weight.sum()], [weight.detach()])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert float(sequential_loss([lambda: weight.sum()], [weight])[0]) == 2
    with torch.autocast('cpu', dtype=torch.float16), pytest.raises(ValueError, match='float16: expected bfloat16'):
        sequential_loss([lambda: weight.sum()], [weight])
