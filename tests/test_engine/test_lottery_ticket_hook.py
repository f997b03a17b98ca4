"""Masks through a real Runner: optimisers, accumulation, mixed precision, averages, resume, two processes."""

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import CheckpointHook, EMAHook, Hook
from mmengine.model import BaseModel
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmssl.compat import allow_mmengine_checkpoints
from mmssl.engine.hooks.lottery_ticket_hook import LotteryTicketHook
from mmssl.errors import DataError
from mmssl.pruning.ticket import RewindPoint, Ticket

WEIGHTS = ['backbone.0.weight', 'backbone.3.weight']


class Net(BaseModel):
    """Two convolutions and a head; counts zeros in the backbone at each forward pass, in training and out of it."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 1))
        self.head = nn.Linear(4, 2)
        self.seen = {'loss': [], 'predict': []}

    def forward(self, inputs, targets, mode='tensor'):
        self.seen[mode].append([int((self.backbone[i].weight == 0).sum()) for i in (0, 3)])
        error = self.head(self.backbone(inputs).mean((2, 3))) - targets
        return {'loss': error.square().mean()} if mode == 'loss' else error


class TwoSteps(Net):
    """Two forward passes and two steps in an iteration, each with an optimiser of its own."""

    def train_step(self, data, optim_wrapper):
        for name in ('backbone', 'head'):
            optim_wrapper[name].update_params(self(**data, mode='loss')['loss'])
        return {'loss': torch.zeros(())}


class Transfer(Hook):
    """What WeightTransferHook does at its place: other weights in before_train, not on resume."""

    priority = 'VERY_HIGH'

    def before_train(self, runner):
        if not runner._resume:
            runner.model.load_state_dict(TRANSFERRED)


class Watch(Hook):
    """Keep the state after each iteration; runs last."""

    priority = 'LOWEST'

    def __init__(self):
        self.states = []

    def before_train(self, runner):
        self.states.append(copied(runner.model))

    def after_train_iter(self, runner, *_, **__):
        self.states.append(copied(runner.model))


class Size(BaseMetric):
    """The evaluation only has to run the model."""

    def process(self, data_batch, data_samples):
        self.results.append(len(data_samples))

    def compute_metrics(self, results):
        return {'size': sum(results)}


def copied(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


torch.manual_seed(0)
TRANSFERRED = copied(Net())
DATA = [{'inputs': torch.randn(2, 5, 5), 'targets': torch.randn(2)} for _ in range(40)]


def sgd(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    return OptimWrapper(optimizer, clip_grad={'max_norm': 1.0})


@pytest.fixture
def train(tmp_path):
    """Train the net; returns the runner and the states before and after each iteration."""
    allow_mmengine_checkpoints()
    count = 0

    def train(*hooks, model=None, wrapper=sgd, iters=10, save=5, val=None, work_dir='run', **kwargs):
        nonlocal count
        count += 1
        torch.manual_seed(count)  # nothing may depend on the initialisation
        model = model or Net()
        watch = Watch()
        evaluation = {}
        if val:
            loader = DataLoader(DATA[:4], batch_size=2)
            evaluation = {'val_dataloader': loader, 'val_cfg': {}, 'val_evaluator': Evaluator([Size()])}
        runner = Runner(
            model,
            str(tmp_path / work_dir),
            train_dataloader=DataLoader(DATA, batch_size=4),
            train_cfg={'by_epoch': False, 'max_iters': iters, 'val_interval': val or 1000},
            optim_wrapper=wrapper(model),
            default_hooks={'checkpoint': CheckpointHook(interval=save, by_epoch=False), 'logger': None},
            custom_hooks=[Transfer(), watch, *hooks],
            experiment_name=f'{tmp_path.name}-{count}',
            log_level='WARNING',
            **evaluation,
            **kwargs,
        )
        runner.train()
        return runner, watch.states

    return train


def zeros(state):
    return [int((state[name] == 0).sum()) for name in WEIGHTS]


def adamw(model):
    return OptimWrapper(torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1))


@pytest.mark.parametrize('wrapper', [sgd, adamw])
def test_one_shot_pruning_of_transferred_weights(train, wrapper):
    hook = LotteryTicketHook(sparsity=0.5)
    runner, states = train(hook, wrapper=wrapper)
    for name in WEIGHTS:
        weight = TRANSFERRED[name].flatten()
        smallest = sorted(range(weight.numel()), key=lambda i: weight[i].abs())[: weight.numel() // 2]
        assert (states[0][name].flatten() == 0).nonzero().squeeze(1).tolist() == sorted(smallest)
        assert torch.equal(states[0][name][hook.masks[name]], TRANSFERRED[name][hook.masks[name]])
        for state in states:
            assert torch.equal(state[name] != 0, hook.masks[name])
    assert len(states) == 11
    assert runner.model.seen['loss'] == [[54, 12]] * 10
    assert zeros(states[10]) == [54, 12]
    assert not torch.equal(states[0]['head.weight'], states[10]['head.weight'])
    assert (states[0]['head.weight'] == 0).sum() == 0
    assert not runner.optim_wrapper.optimizer._optimizer_step_post_hooks  # let go after training


def test_global_scope_over_everything(train):
    hook = LotteryTicketHook(sparsity=0.6, scope='global', modules='*')
    train(hook, iters=1)
    assert list(hook.masks) == [*WEIGHTS, 'head.weight']
    values = torch.cat([TRANSFERRED[name].abs().flatten() for name in hook.masks])
    threshold = values.sort().values[round(0.6 * 140) - 1]
    assert all(torch.equal(mask, TRANSFERRED[name].abs() > threshold) for name, mask in hook.masks.items())


def test_gradient_accumulation(train):
    def wrapper(model):
        return OptimWrapper(sgd(model).optimizer, accumulative_counts=3)

    runner, states = train(LotteryTicketHook(sparsity=0.25), wrapper=wrapper, iters=7)
    assert runner.model.seen['loss'] == [[27, 6]] * 7
    moved = [not torch.equal(a['head.weight'], b['head.weight']) for a, b in zip(states, states[1:], strict=False)]
    assert moved == [False, False, True, False, False, True, True]


def test_two_steps_in_an_iteration(train):
    def wrapper(model):
        return OptimWrapperDict(
            backbone=OptimWrapper(torch.optim.Adam(model.backbone.parameters(), lr=0.01, weight_decay=0.1)),
            head=OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)),
        )

    runner, states = train(LotteryTicketHook(sparsity=0.5), model=TwoSteps(), wrapper=wrapper, iters=5)
    assert runner.model.seen['loss'] == [[54, 12]] * 10  # the second pass sees no revived weight either
    assert zeros(states[-1]) == [54, 12]


def test_mixed_precision(train, monkeypatch):
    """mmengine refuses AmpOptimWrapper on a CPU; behind that check it runs there, in bfloat16."""
    module = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
    monkeypatch.setattr(f'{module}.is_cuda_available', lambda: True)
    monkeypatch.setattr(f'{module}.GradScaler', lambda: torch.amp.GradScaler('cpu', init_scale=2.0**8))
    types = []

    def wrapper(model):
        model.backbone[3].register_forward_hook(lambda *args: types.append(args[2].dtype))
        return AmpOptimWrapper(optimizer=sgd(model).optimizer, dtype='bfloat16')

    runner, states = train(LotteryTicketHook(sparsity=0.8), wrapper=wrapper)
    assert set(types) == {torch.bfloat16}
    assert runner.model.seen['loss'] == [[86, 19]] * 10
    assert states[-1]['backbone.0.weight'].dtype == torch.float32
    assert not torch.equal(states[-1]['head.weight'], states[0]['head.weight'])


@pytest.mark.parametrize('options', [{'momentum': 0.1}, {'momentum': 0.1, 'update_buffers': True}, {'begin_iter': 4}])
def test_averaged_model(train, tmp_path, options):
    average = EMAHook(**options)
    runner, states = train(LotteryTicketHook(sparsity=0.5), average, val=1, iters=6, save=6)
    assert runner.model.seen['predict'] == [[54, 12]] * 2 * 6  # the average, from the first evaluation on
    assert runner.model.seen['loss'] == [[54, 12]] * 6
    checkpoint = torch.load(tmp_path / 'run/iter_6.pth', weights_only=True)
    assert zeros(checkpoint['state_dict']) == [54, 12]
    assert zeros({name: checkpoint['ema_state_dict'][f'module.{name}'] for name in WEIGHTS}) == [54, 12]
    assert not torch.equal(checkpoint['state_dict']['head.weight'], states[-1]['head.weight'])


def test_averaged_model_is_pruned_before_the_first_iteration(train):
    average, seen = EMAHook(), []

    class Look(Hook):
        priority = 'NORMAL'

        def before_train(self, runner):
            seen.append([int((average.ema_model.module.backbone[i].weight == 0).sum()) for i in (0, 3)])

    train(LotteryTicketHook(sparsity=0.5), average, Look(), iters=1)
    assert seen == [[54, 12]]


@pytest.mark.parametrize('kind', ['sparse', 'ticket'])
def test_resume_holds_the_same_masks(train, tmp_path, kind):
    """Interrupted equals uninterrupted, bit for bit, and nothing is pruned a second time."""
    options = {'sparsity': 0.5, 'rewind_iter': 3}
    if kind == 'ticket':
        options = {'ticket': str(tmp_path / 'ticket.pth')}
        masks = {name: torch.rand(TRANSFERRED[name].shape) < 0.5 for name in WEIGHTS}
        Ticket(masks, RewindPoint(0, TRANSFERRED)).save(options['ticket'])
    whole = LotteryTicketHook(**options)
    _, expected = train(whole, work_dir='whole')
    train(LotteryTicketHook(**options), iters=5)
    checkpoint = torch.load(tmp_path / 'run/iter_5.pth', weights_only=True)
    assert set(checkpoint['lottery_ticket']) == {'format', 'settings', 'masks', 'rewind'}
    # Of what the hook reads at the start nothing is needed for going on.
    for name in ('ticket.pth', 'run/rewind.pth'):
        (tmp_path / name).unlink(missing_ok=True)
    second = LotteryTicketHook(**options)
    runner, states = train(second, resume=True, load_from=str(tmp_path / 'run/iter_5.pth'))
    assert all(torch.equal(second.masks[name], mask) for name, mask in whole.masks.items())
    assert list(second.masks) == WEIGHTS
    assert len(states) == 6
    for name, tensor in expected[-1].items():
        assert torch.equal(states[-1][name], tensor), name
    rewind = second.rewind
    assert rewind.iteration == (0 if kind == 'ticket' else 3)
    assert all(torch.equal(rewind.state_dict[name], whole.rewind.state_dict[name]) for name in TRANSFERRED)
    assert (tmp_path / 'run/rewind.pth').exists() == (kind == 'sparse')
    assert runner.model.seen['loss'] == [zeros(expected[0])] * 5


def test_rewind_point(train, tmp_path):
    for iteration in (0, 4, 10):
        hook = LotteryTicketHook(rewind_iter=iteration, modules='head')
        _, states = train(hook, work_dir=f'run{iteration}', save=3)
        stored = torch.load(tmp_path / f'run{iteration}/rewind.pth', weights_only=True)
        assert stored['meta']['rewind_iter'] == iteration
        assert stored['meta']['prunable'] == ['head.weight']
        assert stored['meta']['parameters'] == [name for name, _ in Net().named_parameters()]
        assert list(stored['state_dict']) == list(TRANSFERRED)
        assert all(torch.equal(stored['state_dict'][name], states[iteration][name]) for name in TRANSFERRED)
        assert zeros(states[-1]) == [0, 0]  # dense
    checkpoints = [torch.load(tmp_path / f'run4/iter_{i}.pth', weights_only=True)['lottery_ticket'] for i in (3, 6)]
    assert checkpoints[0]['rewind'] is None
    assert checkpoints[1]['rewind']['iteration'] == 4
    assert list((tmp_path / 'run4').glob('*.tmp')) == []


def test_rewind_point_after_a_resume_before_it(train, tmp_path):
    train(LotteryTicketHook(rewind_iter=7), work_dir='whole')
    train(LotteryTicketHook(rewind_iter=7), iters=7, save=3)
    (tmp_path / 'run/rewind.pth').unlink()
    train(LotteryTicketHook(rewind_iter=7), resume=True, load_from=str(tmp_path / 'run/iter_6.pth'))
    first, second = (
        torch.load(tmp_path / f'{name}/rewind.pth', weights_only=True)['state_dict'] for name in ('whole', 'run')
    )
    assert all(torch.equal(first[name], second[name]) for name in TRANSFERRED)


def test_the_point_of_a_pruned_run_is_dense(train, tmp_path):
    train(LotteryTicketHook(sparsity=0.5, rewind_iter=0), iters=1)
    stored = torch.load(tmp_path / 'run/rewind.pth', weights_only=True)['state_dict']
    assert all(torch.equal(stored[name], TRANSFERRED[name]) for name in TRANSFERRED)


def test_ticket_restores_survivors_bit_for_bit(train, tmp_path):
    torch.manual_seed(5)
    point = RewindPoint.of(Net(), 3)
    point.state_dict['backbone.1.running_mean'] += 2  # buffers go back too
    masks = {name: torch.rand(TRANSFERRED[name].shape) < 0.3 for name in WEIGHTS}
    Ticket(masks, point).save(tmp_path / 'ticket.pth')
    hook = LotteryTicketHook(ticket=str(tmp_path / 'ticket.pth'))
    _, states = train(hook)
    for name, tensor in point.state_dict.items():
        mask = masks.get(name, torch.ones_like(tensor, dtype=torch.bool))
        assert torch.equal(states[0][name][mask], tensor[mask])
        assert (states[0][name][~mask] == 0).all()
    for state in states:
        assert all(torch.equal(state[name] != 0, mask) for name, mask in masks.items())


def test_criterion_with_initial_weights(train, tmp_path):
    initial = {name: tensor.flip(0) for name, tensor in TRANSFERRED.items()}
    torch.save({'state_dict': initial, 'meta': {}}, tmp_path / 'initial.pth')
    hook = LotteryTicketHook(sparsity=0.5, criterion='magnitude_increase', initial=str(tmp_path / 'initial.pth'))
    train(hook, iters=1)
    for name in WEIGHTS:
        growth = TRANSFERRED[name].abs() - initial[name].abs()
        assert growth[hook.masks[name]].min() > growth[~hook.masks[name]].max()


def test_a_checkpoint_with_revived_weights_is_refused(train, tmp_path):
    class Meddle(Hook):
        def after_train_iter(self, runner, *_, **__):
            if runner.iter == 3:
                runner.model.backbone[3].weight.data.fill_(1)

    with pytest.raises(
        RuntimeError, match='12 pruned weights of backbone.3.weight are not zero at iteration 4'
    ) as error:
        train(LotteryTicketHook(sparsity=0.5), Meddle(), save=2)
    assert '\n' not in str(error.value)
    assert [path.name for path in tmp_path.glob('run/*.pth')] == ['iter_2.pth']


def test_log(train, monkeypatch):
    from mmengine.logging import MMLogger

    lines = []
    monkeypatch.setattr(MMLogger, 'info', lambda self, text, *_: lines.append(str(text)))
    monkeypatch.setattr(MMLogger, 'warning', lambda self, text, *_: lines.append(str(text)))
    train(LotteryTicketHook(sparsity=0.8, modules=['backbone.0', 'head']), iters=1)
    (table,) = (line for line in lines if 'weights at the start' in line)
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines() if line.startswith('|')]
    assert rows[1:] == [
        ['backbone.0.weight', '108', '86', '79.63%'],
        ['head.weight', '8', '6', '75.00%'],
        ['these layers', '116', '92', '79.31%'],
        ['all parameters', '164', '98', '59.76%'],  # six more are the biases of the norm
    ]
    lines.clear()
    train(LotteryTicketHook(sparsity=0.95, modules='head', scope='global'), iters=1, work_dir='empty')
    assert 'LotteryTicketHook: no weight is left in 1 layers: head.weight' in lines


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({}, 'none of sparsity, ticket, rewind_iter found'),
        ({'sparsity': 1.0}, 'LotteryTicketHook: sparsity: 1.0 found, a number from 0 to below 1 expected'),
        ({'sparsity': -0.5}, 'sparsity: -0.5 found'),
        ({'sparsity': 0.5, 'ticket': 't.pth'}, 'sparsity or rewind_iter found beside ticket'),
        ({'rewind_iter': 0, 'ticket': 't.pth'}, 'sparsity or rewind_iter found beside ticket'),
        ({'rewind_iter': -1}, 'rewind_iter: -1 found, a whole number from 0'),
        ({'rewind_iter': 0.5}, 'rewind_iter: 0.5 found'),
        ({'rewind_iter': 0, 'scope': 'global'}, 'scope, criterion and initial need sparsity'),
        ({'ticket': 't.pth', 'criterion': 'magnitude_increase'}, 'scope, criterion and initial need sparsity'),
        ({'ticket': 't.pth', 'modules': '*'}, 'modules found, but a ticket names its weights'),
        ({'sparsity': 0.5, 'scope': 'net'}, "scope: 'net' found"),
        ({'sparsity': 0.5, 'criterion': 'random'}, "criterion: 'random' found"),
        ({'sparsity': 0.5, 'criterion': 'magnitude_increase'}, 'needs initial, a checkpoint'),
        ({'sparsity': 0.5, 'initial': 'i.pth'}, "initial found, but criterion 'large_final' does not look at it"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        LotteryTicketHook(**options)
    assert '\n' not in str(caught.value)


def test_bad_input_at_the_start(train, tmp_path):
    with pytest.raises(ValueError, match="pattern 'bakbone' matches no"):
        train(LotteryTicketHook(sparsity=0.5, modules='bakbone'))
    with pytest.raises(ValueError, match='rewind_iter: 11 found, at most 10 expected, the iterations of the training'):
        train(LotteryTicketHook(rewind_iter=11))
    with pytest.raises(FileNotFoundError, match='ticket nowhere.pth: no such file'):
        train(LotteryTicketHook(ticket='nowhere.pth'))
    path = tmp_path / 'other.pth'
    torch.save({'state_dict': {'backbone.0.weight': torch.zeros(6, 2, 1, 1)}}, path)
    grow = {'sparsity': 0.5, 'criterion': 'magnitude_increase', 'initial': str(path)}
    with pytest.raises(ValueError, match=r'backbone.0.weight before training has another shape, \(6, 2, 1, 1\) found'):
        train(LotteryTicketHook(**grow))
    with pytest.raises(ValueError, match='backbone.3.weight is missing among the weights before training'):
        train(LotteryTicketHook(**{**grow, 'modules': 'backbone.3'}))
    point = RewindPoint(0, TRANSFERRED)
    for ticket, message in [
        (Ticket({}), 'no rewind weights in it'),
        (Ticket({'head.bias': torch.ones(3, dtype=torch.bool)}, point), r'mask of head.bias has another shape, \(3,\)'),
        (Ticket({}, RewindPoint(0, {'a': torch.zeros(1)})), '12 names differ; first: backbone.0.weight is missing'),
    ]:
        ticket.save(path)
        model = Net()
        before = copied(model)
        model.load_state_dict = None  # whatever loads it fails
        hook = LotteryTicketHook(ticket=str(path))
        with pytest.raises(DataError, match=message):
            hook._rewind(model)
        assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_bad_input_on_resume(train, tmp_path):
    checkpoint = tmp_path / 'run/iter_5.pth'
    options = {'resume': True, 'load_from': str(checkpoint)}
    train(iters=5)
    with pytest.raises(DataError, match='iter_5.pth: no masks of LotteryTicketHook to resume with'):
        train(LotteryTicketHook(sparsity=0.5), **options)
    train(LotteryTicketHook(sparsity=0.5), iters=5)
    with pytest.raises(DataError, match='iter_5.pth: .*sparsity=0.8 found, but the checkpoint was made with 0.5'):
        train(LotteryTicketHook(sparsity=0.8), **options)
    # as a start, not a resume, the same file is pruned like any other
    runner, states = train(LotteryTicketHook(sparsity=0.8), load_from=str(checkpoint), iters=1)
    assert zeros(states[0]) == [86, 19]


DISTRIBUTED = """
import sys
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, MODELS
from mmengine.runner import Runner
from mmssl.apis.launch import prepare_launch

@DATASETS.register_module()
class Samples(torch.utils.data.Dataset):
    def __len__(self):
        return 16
    def __getitem__(self, index):
        torch.manual_seed(index)
        return dict(inputs=torch.randn(4))

@MODELS.register_module()
class Tiny(BaseModel):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 25)
    def forward(self, inputs, mode='tensor'):
        return dict(loss=(self.net(inputs) - 1).square().mean())

@HOOKS.register_module()
class Differ(Hook):
    priority = 'VERY_HIGH'
    def before_train(self, runner):
        torch.manual_seed(runner.rank)
        runner.model.module.net.weight.data.normal_()

cfg = Config(dict(
    model=dict(type='Tiny'), work_dir=sys.argv[1], launcher='pytorch', log_level='ERROR',
    train_dataloader=dict(dataset=dict(type='Samples'), batch_size=2, num_workers=0,
                          collate_fn=dict(type='default_collate'), sampler=dict(type='DefaultSampler', shuffle=False)),
    train_cfg=dict(by_epoch=False, max_iters=4),
    default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False)),
    custom_hooks=[dict(type='Differ'),
                  dict(type='mmssl.LotteryTicketHook', sparsity=0.8, modules='net', rewind_iter=2)],
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.1))))
prepare_launch(cfg)
runner = Runner.from_cfg(cfg)
runner.train()
hook = next(hook for hook in runner.hooks if type(hook).__name__ == 'LotteryTicketHook')
weight = runner.model.module.net.weight.data
torch.save(dict(mask=hook.masks['net.weight'], weight=weight), f'{sys.argv[1]}/{runner.rank}.pt')
"""


def test_two_processes_hold_the_masks_of_the_first(tmp_path, run_on_two_ranks):
    run_on_two_ranks(DISTRIBUTED, tmp_path)
    first, second = (torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in range(2))
    torch.manual_seed(0)
    weight = torch.empty(25, 4).normal_()
    expected = torch.ones(100, dtype=torch.bool)
    expected[weight.abs().flatten().argsort()[:80]] = False  # of rank 0; rank 1 started with other weights
    for rank in (first, second):
        assert torch.equal(rank['mask'].flatten(), expected)
        assert torch.equal(rank['weight'].flatten() != 0, expected)
    stored = torch.load(tmp_path / 'rewind.pth', weights_only=True)
    assert torch.equal(stored['state_dict']['net.weight'].flatten() != 0, expected)
    assert 'lottery_ticket' in torch.load(tmp_path / 'iter_4.pth', weights_only=True)
