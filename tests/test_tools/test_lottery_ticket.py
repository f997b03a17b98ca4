"""tools/lottery_ticket.py: rounds end to end, interruption, and mistakes told in one line."""

import importlib.util
import itertools
import json
import sys
from pathlib import Path

import pytest
import torch

from mmssl.pruning.schedule import round_sparsity
from mmssl.pruning.ticket import Ticket, find_masks

PARTS = """
import os
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS

@DATASETS.register_module()
class TinySamples(torch.utils.data.Dataset):
    metainfo = {}
    def __len__(self):
        return 8
    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        return dict(inputs=torch.randn(2, 6, 6, generator=generator), targets=torch.randn(3, generator=generator))

@MODELS.register_module()
class TinyNet(BaseModel):
    def __init__(self):
        super().__init__()
        self.backbone = torch.nn.Sequential(
            torch.nn.Conv2d(2, 5, 3), torch.nn.BatchNorm2d(5), torch.nn.ReLU(), torch.nn.Conv2d(5, 4, 3))
        self.head = torch.nn.Linear(4, 3)
        self.calls = 0
    def forward(self, inputs, targets=None, mode='tensor'):
        self.calls += mode == 'loss'
        if mode == 'loss' and self.calls == int(os.environ.get('TINY_FAIL', 0)):
            raise KeyboardInterrupt
        output = self.head(self.backbone(inputs).mean((2, 3)))
        if mode == 'loss':
            return dict(loss=(output - targets).square().mean())
        return [dict(error=e) for e in (output - targets).square().mean(1)] if mode == 'predict' else output

@METRICS.register_module()
class TinyError(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [float(sample['error']) for sample in data_samples]
    def compute_metrics(self, results):
        return dict(error=sum(results) / len(results), count=len(results))
"""
CONFIG = """
custom_imports = dict(imports=['tiny_parts'])
model = dict(type='TinyNet')
loader = dict(dataset=dict(type='TinySamples'), batch_size=4, num_workers=0, collate_fn=dict(type='default_collate'))
train_dataloader = dict(**loader, sampler=dict(type='InfiniteSampler', shuffle=False))
val_dataloader = dict(**loader, sampler=dict(type='DefaultSampler', shuffle=False))
val_evaluator = dict(type='TinyError')
train_cfg = dict(by_epoch=False, max_iters=5, val_interval=5)
val_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.01))
param_scheduler = [dict(type='PolyLR', by_epoch=False, begin=0, end=5)]
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False, save_last=False))
log_level = 'WARNING'
randomness = dict(seed=3)
"""
SIZES = {'backbone.0.weight': 90, 'backbone.3.weight': 180}
PARAMETERS = 90 + 5 + 10 + 180 + 4 + 12 + 3


def load(repository: Path, name: str):
    spec = importlib.util.spec_from_file_location(f'tool_{name}', repository / f'tools/{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tool(repository):
    return load(repository, 'lottery_ticket')


@pytest.fixture
def config(tmp_path, monkeypatch):
    (tmp_path / 'tiny_parts.py').write_text(PARTS)
    (tmp_path / 'tiny.py').write_text(CONFIG)
    if 'tiny_parts' not in sys.modules:  # its parts are registered once
        monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    return tmp_path / 'tiny.py'


@pytest.fixture
def calls(tool, repository, tmp_path, monkeypatch):
    """Let rounds train in this process, through tools/train.py; returns what was called."""
    made, trainer, number = [], load(repository, 'train'), itertools.count()

    def run_training(config, work_dir, resume, gpus=None, amp=False):
        made.append((Path(work_dir).name, resume))
        monkeypatch.setattr(sys, 'argv', tool.train_command(config, work_dir, resume, gpus, amp)[1:])
        options = ['--cfg-options', f'experiment_name={tmp_path.name}-{next(number)}']
        sys.argv += options
        trainer.main()

    monkeypatch.setattr(tool, 'run_training', run_training)
    return made


def final(folder: Path) -> dict:
    return torch.load(folder / 'iter_5.pth', weights_only=True)['state_dict']


def test_three_rounds(tool, config, calls, tmp_path, capsys):
    command = [str(config), '--rounds', '3', '--sparsity', '0.8', '--rewind-iter', '2', '--work-dir', 'series']
    rows = tool.main(command)
    assert calls == [(f'round_{index}', False) for index in range(4)]
    series = tmp_path / 'series'
    rewind = torch.load(series / 'round_0/rewind.pth', weights_only=True)['state_dict']
    early = torch.load(series / 'round_0/iter_2.pth', weights_only=True)['state_dict']
    assert all(torch.equal(rewind[name], tensor) for name, tensor in early.items())
    previous = None
    for index, row in enumerate(rows):
        weights = final(series / f'round_{index}')
        counts = {name: round(round_sparsity(0.8, index, 3) * size) for name, size in SIZES.items()}
        assert {name: int((weights[name] == 0).sum()) for name in SIZES} == counts
        assert row['round'] == index
        assert row['sparsity'] == pytest.approx(sum(counts.values()) / 270)
        assert row['nonzero'] == PARAMETERS - sum(counts.values())
        assert (row['prunable'], row['parameters']) == (270, PARAMETERS)
        assert row['metrics']['count'] == 8
        if index:
            ticket = Ticket.load(series / f'round_{index}/ticket.pth')
            assert all(torch.equal(ticket.rewind.state_dict[name], rewind[name]) for name in rewind)
            trained = {name: final(series / f'round_{index - 1}')[name] for name in SIZES}
            expected = find_masks(trained, round_sparsity(0.8, index, 3))  # zeros are the smallest there are
            for name in SIZES:
                assert torch.equal(ticket.masks[name], expected[name])
                assert torch.equal(weights[name] != 0, ticket.masks[name])
                assert previous is None or not (ticket.masks[name] & ~previous[name]).any()
            previous = ticket.masks
    assert [int(1000 * row['sparsity']) for row in rows] == [0, 414, 655, 800]
    assert json.loads((series / 'rounds.json').read_text())['finished'] == rows
    text = capsys.readouterr().out
    assert f'|     3 |   80.00% | {" " * 17}88 |' in text
    assert f'{rows[3]["metrics"]["error"]:.4g}' in text
    assert tool.main(command) == rows  # finished: nothing is trained
    assert len(calls) == 4
    tool.main([*command, '--metric', 'error'])
    assert 'count' not in capsys.readouterr().out.split('finished before')[-1]


def test_interrupted_rounds_continue(tool, config, calls, tmp_path, monkeypatch):
    """Interrupted within a dense and within a sparse round, the series ends as one that was not."""
    options = [str(config), '--rounds', '2', '--sparsity', '0.5', '--scope', 'global', '--modules', 'backbone', 'head']
    options += ['--criterion', 'magnitude_increase']
    whole = tool.main([*options, '--work-dir', 'whole'])
    calls.clear()
    original = tool.run_training
    fail = iter([4, 1, 0, 4, 0, 0])  # forward pass of each training that is interrupted; checkpoints come after 2, 4

    def run_training(*args):
        monkeypatch.setenv('TINY_FAIL', str(next(fail)))
        original(*args)

    monkeypatch.setattr(tool, 'run_training', run_training)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            tool.main([*options, '--work-dir', 'parts'])
    rows = tool.main([*options, '--work-dir', 'parts'])
    assert calls == [
        *(('round_0', False), ('round_0', True), ('round_0', True)),
        *(('round_1', False), ('round_1', True), ('round_2', False)),
    ]
    assert rows == whole
    for index in range(3):
        first, second = (final(tmp_path / name / f'round_{index}') for name in ('whole', 'parts'))
        assert all(torch.equal(first[name], second[name]) for name in first)
    assert sum(int((first[name] == 0).sum()) for name in [*SIZES, 'head.weight']) == round(0.5 * 282)
    assert rows[2]['prunable'] == 282


def test_what_a_round_is_run_with(tool, config, calls, tmp_path):
    tool.main(
        [
            str(config),
            '--rounds',
            '1',
            '--sparsity',
            '0.5',
            '--cfg-options',
            'train_cfg.max_iters=5',
            'model.type=TinyNet',
        ]
    )
    from mmssl.apis.config import load_config

    series = tmp_path / 'work_dirs/tiny_lottery'
    for index in range(2):
        cfg = load_config(str(series / f'round_{index}/config.py'))
        assert cfg.default_hooks.checkpoint.save_last  # not asked for by the config
        (hook,) = cfg.custom_hooks
        assert hook.type == 'mmssl.LotteryTicketHook'
        assert (hook.get('rewind_iter'), 'ticket' in hook) == ((0, False), (None, True))[index]
    rates = [json.loads(path.read_text().splitlines()[0]) for path in series.glob('round_1/*/vis_data/*.json')]
    assert rates  # each round has its own log


def test_commands(tool, repository):
    config, folder = Path('a b.py'), Path('work/round_1')
    assert tool.train_command(config, folder, False, None, False) == [
        *(sys.executable, f'{repository}/tools/train.py', 'a b.py', '--work-dir', 'work/round_1')
    ]
    assert tool.train_command(config, folder, True, 4, True) == [
        *('bash', f'{repository}/tools/dist_train.sh', 'a b.py', '4', '--work-dir', 'work/round_1', '--resume', '--amp')
    ]


def test_a_training_that_fails_in_its_own_process(tool, config, tmp_path, capfd):
    with pytest.raises(SystemExit) as stop:
        tool.main([str(config), '--rounds', '1', '--sparsity', '0.5', '--work-dir', 'run', '--modules', 'bakbone'])
    assert stop.value.code == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith('error:')]
    assert "pattern 'bakbone' matches no convolution or linear layer of TinyNet" in lines[0]
    assert 'run/round_0: training ended with status 1; the same command continues' in lines[1]
    assert len(lines) == 2
    assert json.loads((tmp_path / 'run/rounds.json').read_text())['finished'] == []


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--sparsity', '1'], '--sparsity: 1.0 found, a number from 0 to below 1 expected'),
        (['--sparsity', '-0.1'], '--sparsity: -0.1 found'),
        (['--rounds', '0'], '--rounds: 0 found, a whole number from 1 expected'),
        (['--rewind-iter', '-1'], '--rewind-iter: -1 found, a whole number from 0'),
        (['--gpus', '0'], '--gpus: 0 found'),
        (['--cfg-options', 'train_cfg.max_iters=6'], 'were started with another config; take a new folder'),
        (['--scope', 'global'], "were started with another scope ('layer', now 'global')"),
        (['--rounds', '2'], 'were started with another rounds (1, now 2)'),
        (['--metric', 'mIoU'], "--metric: 'mIoU' found, one of error, count expected"),
        (['--cfg-options', 'default_hooks.checkpoint=None'], 'default_hooks.checkpoint: None found'),
    ],
)
def test_mistakes(tool, config, calls, options, message, capsys):
    base = [str(config), '--rounds', '1', '--sparsity', '0.5', '--work-dir', 'run']
    if 'started' in message or 'metric' in message:
        tool.main(base)
    count = len(calls)
    with pytest.raises(SystemExit) as stop:
        tool.main([*base, *options])
    assert stop.value.code == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error:')]
    assert len(errors) == 1
    assert message in errors[0]
    assert len(calls) == count


def test_a_config_with_the_hook(tool, config, calls, capsys):
    config.write_text(config.read_text() + "custom_hooks = [dict(type='mmssl.LotteryTicketHook', sparsity=0.5)]\n")
    with pytest.raises(SystemExit):
        tool.main([str(config), '--rounds', '1', '--sparsity', '0.5'])
    assert 'custom_hooks: a LotteryTicketHook found, but the rounds put in their own' in capsys.readouterr().err
    assert calls == []


def test_damaged_files_of_an_earlier_round(tool, config, calls, tmp_path, capsys):
    base = [str(config), '--rounds', '1', '--sparsity', '0.5', '--work-dir', 'run']
    tool.main(base)
    state = tmp_path / 'run/rounds.json'
    content = json.loads(state.read_text())
    content['finished'].pop()
    for damage, message in [
        (lambda: (tmp_path / 'run/round_0/iter_5.pth').write_bytes(b'PK'), 'iter_5.pth: damaged, no archive of torch'),
        (lambda: (tmp_path / 'run/round_0/iter_5.pth').unlink(), 'no checkpoint|does not exist'),
        (lambda: (tmp_path / 'run/round_0/rewind.pth').unlink(), 'rewind.pth: no such file'),
        (lambda: state.write_text('{'), 'rounds.json: damaged, JSONDecodeError'),
    ]:
        state.write_text(json.dumps(content))
        damage()
        with pytest.raises(SystemExit):
            tool.main(base)
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error:')]
        assert any(part in line for part in message.split('|')), line
