"""Freeze, then train all: which numbers move, in which iteration; also after a resume."""

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmssl.compat import allow_mmengine_checkpoints
from mmssl.engine.hooks.freeze_hook import FreezeHook


class Net(BaseModel):
    """A backbone with norm and dropout (of rate 0), and a head; keeps the modes that it was run in."""

    def __init__(self, frozen_by_itself=False):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.0), nn.Linear(4, 4))
        self.head = nn.Sequential(nn.Linear(4, 1), nn.Dropout(0.0))
        self.modes = []
        if frozen_by_itself:
            self.backbone[0].requires_grad_(False)

    def forward(self, inputs, targets, mode='tensor'):
        error = self.head(self.backbone(inputs)) - targets
        if mode == 'predict':
            return [error]
        self.modes.append(''.join('te'[not m.training] for m in (self.backbone[1], self.backbone[2], self.head[1])))
        return {'loss': error.square().mean()}


class Watch(Hook):
    """Weights before training and after each iteration."""

    priority = 'LOWEST'

    def __init__(self):
        self.states = []

    def before_train(self, runner):
        self.states.append(copied(runner.model))

    def after_train_iter(self, runner, *_, **__):
        self.states.append(copied(runner.model))

    def moved(self, part: str, norm_statistics=False) -> list[bool]:
        """For each iteration, whether every tensor of a part has changed; raises where only some have."""
        keys = [key for key in self.states[0] if key.startswith(part) and ('running' in key) == norm_statistics]
        keys = [key for key in keys if 'num_batches' not in key]
        result = []
        for before, after in zip(self.states, self.states[1:], strict=False):
            changes = {not torch.equal(before[key], after[key]) for key in keys}
            assert len(changes) == 1, keys
            result.append(changes.pop())
        return result


class Nothing(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return {}


def copied(model) -> dict:
    return {key: value.clone() for key, value in model.state_dict().items()}


def samples(count) -> list:
    generator = torch.Generator().manual_seed(0)
    return [
        {'inputs': torch.randn(2, generator=generator), 'targets': torch.randn(1, generator=generator)}
        for _ in range(count)
    ]


def runner(tmp_path, *hooks, train_cfg, net=None, optimizer=torch.optim.SGD, **kwargs) -> Runner:
    allow_mmengine_checkpoints()
    torch.manual_seed(0)
    model = net or Net()
    settings = {'lr': 0.1, 'weight_decay': 0.1} | ({'momentum': 0.9} if optimizer is torch.optim.SGD else {})
    by_epoch = train_cfg['by_epoch']
    return Runner(
        model=model,
        work_dir=str(tmp_path / 'run'),
        experiment_name=f'{tmp_path.name}-{id(hooks)}',
        train_dataloader=DataLoader(samples(4 if by_epoch else 8), batch_size=2, shuffle=False),
        train_cfg=train_cfg,
        optim_wrapper=OptimWrapper(optimizer(model.parameters(), **settings)),
        default_hooks={'checkpoint': {'type': 'CheckpointHook', 'interval': 1, 'by_epoch': by_epoch}},
        custom_hooks=list(hooks),
        **kwargs,
    )


def log_of(tmp_path) -> str:
    return '\n'.join(path.read_text() for path in sorted(tmp_path.glob('run/*/*.log')))


EPOCHS = {'by_epoch': True, 'max_epochs': 3}  # of two iterations
ITERS = {'by_epoch': False, 'max_iters': 4}


@pytest.mark.parametrize('optimizer', [torch.optim.SGD, torch.optim.AdamW])
@pytest.mark.parametrize(
    ('stage', 'train_cfg', 'frozen'),
    [
        ({'epochs': 2}, EPOCHS, [False] * 4 + [True] * 2),
        ({'iters': 3}, EPOCHS, [False] * 3 + [True] * 3),
        ({'iters': 1}, ITERS, [False] + [True] * 3),
    ],
)
def test_the_backbone_moves_when_its_stage_has_come(tmp_path, optimizer, stage, train_cfg, frozen):
    watch = Watch()
    run = runner(tmp_path, FreezeHook(**stage), watch, train_cfg=train_cfg, optimizer=optimizer)
    run.train()
    assert watch.moved('backbone') == frozen
    assert watch.moved('backbone', norm_statistics=True) == frozen
    assert watch.moved('head') == [True] * len(frozen)
    assert run.model.modes == ['eet' if not moves else 'ttt' for moves in frozen]
    assert all(parameter.requires_grad for parameter in run.model.parameters())
    log = log_of(tmp_path)
    # 12 + 8 + 20 parameters of the backbone, 5 of the head
    assert 'FreezeHook: 40 parameters frozen, 5 train, for the first ' in log
    assert f'FreezeHook: 0 parameters frozen, 45 train, from iteration {frozen.index(True) + 1} on' in log


def test_norms_may_follow_the_data(tmp_path):
    watch = Watch()
    run = runner(tmp_path, FreezeHook(iters=2, norm_eval=False), watch, train_cfg=ITERS)
    run.train()
    assert watch.moved('backbone') == [False, False, True, True]
    assert watch.moved('backbone', norm_statistics=True) == [True] * 4
    assert run.model.modes == ['ttt'] * 4


def test_validation_in_between_changes_nothing(tmp_path):
    run = runner(
        tmp_path,
        FreezeHook(iters=3),
        train_cfg=ITERS | {'val_interval': 1},
        val_dataloader=DataLoader(samples(2), batch_size=2),
        val_cfg={},
        val_evaluator=Evaluator(Nothing()),
    )
    run.train()
    assert run.model.modes == ['eet', 'eet', 'eet', 'ttt']


@pytest.mark.parametrize('stop', [1, 2, 3])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, stop):
    whole = Watch()
    net = Net()
    start = copied(net)
    hook = FreezeHook(epochs=2)
    runner(tmp_path / 'whole', hook, whole, net=net, train_cfg=EPOCHS | {'max_epochs': 4}).train()
    assert whole.moved('backbone') == [False] * 4 + [True] * 4

    net.load_state_dict(start)
    for parameter in net.parameters():
        parameter.grad = None
    first = runner(tmp_path / 'parts', FreezeHook(epochs=2), net=net, train_cfg=EPOCHS | {'max_epochs': stop})
    first.train()
    watch = Watch()
    second = runner(
        tmp_path / 'parts',
        FreezeHook(epochs=2),
        watch,
        train_cfg=EPOCHS | {'max_epochs': 4},
        resume=True,
        load_from=str(tmp_path / f'parts/run/epoch_{stop}.pth'),
    )
    second.train()
    assert watch.moved('backbone') == ([False] * 4 + [True] * 4)[2 * stop :]
    for key, value in whole.states[-1].items():
        assert torch.equal(watch.states[-1][key], value), key
    assert ('the frozen stage is over' in log_of(tmp_path / 'parts')) == (stop >= 2)


def test_what_the_model_has_frozen_stays_frozen(tmp_path):
    watch = Watch()
    net = Net(frozen_by_itself=True)
    run = runner(tmp_path, FreezeHook(iters=2), watch, net=net, train_cfg=ITERS)
    run.train()
    assert watch.moved('backbone.0') == [False] * 4
    assert watch.moved('backbone.3') == [False, False, True, True]
    assert not net.backbone[0].weight.requires_grad


def test_a_part_of_the_backbone(tmp_path):
    watch = Watch()
    hook = FreezeHook(modules=['backbone.0', '*.1'], iters=2)
    run = runner(tmp_path, hook, watch, train_cfg=ITERS)
    run.train()
    assert watch.moved('backbone.0') == watch.moved('backbone.1') == [False, False, True, True]
    assert watch.moved('backbone.3') == [True] * 4
    assert run.model.modes == ['ete', 'ete', 'ttt', 'ttt']  # *.1 is the head's dropout, too


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({}, 'epochs=None, iters=None, expected one of them, a number from 1'),
        ({'epochs': 1, 'iters': 1}, 'epochs=1, iters=1, expected one of them'),
        ({'epochs': 0}, 'epochs=0, iters=None, expected'),
        ({'iters': 1.5}, 'iters=1.5, expected'),
        ({'iters': True}, 'iters=True, expected'),
        ({'iters': 1, 'modules': ()}, 'FreezeHook: modules=.*, expected a pattern'),
        ({'iters': 1, 'modules': 'a b'}, "FreezeHook: modules: pattern 'a b' found"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        FreezeHook(**options)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'iters': 1, 'modules': ['backbone', 'neck']}, r"'neck' matches no parameter of the model \(backbone, head\)"),
        ({'iters': 1, 'modules': '*'}, r'modules \* freeze every parameter, expected some left to train'),
        ({'epochs': 1}, 'epochs=1 with IterBasedTrainLoop, which counts iterations; expected iters'),
    ],
)
def test_what_does_not_fit_the_run(tmp_path, options, message):
    run = runner(tmp_path, FreezeHook(**options), train_cfg=ITERS)
    with pytest.raises(ValueError, match=message):
        run.train()
    assert all(parameter.requires_grad for parameter in run.model.parameters())
