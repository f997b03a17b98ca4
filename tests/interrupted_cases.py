"""Small trainings for processes of their own: they get signals, fail on one rank, or lose their loss or their disk."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn

from mmssl.apis.failing_ranks import LostRankError, end_at_once, training_failures
from mmssl.apis.launch import prepare_launch
from mmssl.apis.one_line_errors import one_line_errors
from mmssl.compat import allow_mmengine_checkpoints
from mmssl.errors import DataError

ITERATIONS, LENGTH = 12, 6
"""Of a run, and of an epoch on one rank."""


@DATASETS.register_module(force=True)
class Points(torch.utils.data.Dataset):
    """Points whose ``slow`` one takes a while; ``bad`` raises."""

    def __init__(self, seconds: float = 0.0, bad: int | None = None):
        self.points = torch.randn(2 * LENGTH, 3, generator=torch.Generator().manual_seed(0))
        self.seconds, self.bad = seconds, bad
        self.metainfo = {'classes': ('point',)}

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        time.sleep(self.seconds)
        if index == self.bad:
            raise DataError(f'point_{index}.png: damaged')
        return {'inputs': self.points[index], 'data_samples': BaseDataElement(metainfo={'img_path': f'{index}.png'})}


@MODELS.register_module(force=True)
class PointNet(BaseModel):
    """Its second loss is not a number in the iterations ``nan``, on the rank ``nan_rank`` only.

    Its gradients are not either with ``poison``, and in iteration ``spoil``, where the loss is finite.
    """

    def __init__(self, nan=(), nan_rank=0, poison=False, spoil=None):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))
        self.nan, self.nan_rank, self.poison, self.spoil, self.calls = set(nan), nan_rank, poison, spoil, 0

    def forward(self, inputs, data_samples=None, mode='tensor'):
        value = self.net(torch.stack(list(inputs)))
        if mode != 'loss':
            return data_samples
        self.calls += 1
        bad = self.calls in self.nan and get_rank() == self.nan_rank
        factor = float('nan') if bad else 1.0
        other = value.abs().mean().detach() if bad and not self.poison else value.abs().mean()
        square = value.square().mean()
        if self.calls == self.spoil:
            square = square + (value.sum() * 0).sqrt()  # its slope at 0 is infinite, and times 0 not a number
        return {'loss_square': square, 'loss_abs': other * factor}


@METRICS.register_module(force=True)
class Score(BaseMetric):
    """Rises with every validation."""

    def process(self, data_batch, data_samples):
        self.results.append(len(data_samples))

    def compute_metrics(self, results):
        return {'score': float(Validations.finished + 1)}


@HOOKS.register_module(force=True)
class Validations(Hook):
    """Counts them, and prints."""

    finished = 0

    def after_val_epoch(self, runner, metrics=None):
        Validations.finished += 1
        print(f'validated after {runner.iter}', flush=True)


@HOOKS.register_module(force=True)
class Fault(Hook):
    """Do something to this process when a ``stage`` is in its iteration ``at``.

    Args:
        what: a signal's name, ``error``, or ``full`` for a disk without any space.
        stage: ``train``, ``val``, ``test`` or ``save``.
        at: number of finished iterations, in a validation or a test of finished batches.
        rank: who does it.
        times: how often a signal is sent.
    """

    priority = 'HIGHEST'

    def __init__(self, what: str, stage: str = 'train', at: int = 5, rank: int = 0, times: int = 1):
        self.what, self.stage, self.at, self.rank, self.times = what, stage, at, rank, times

    def _act(self, stage: str, number: int) -> None:
        if (stage, number, self.rank) != (self.stage, self.at, get_rank()):
            return
        if self.what == 'error':
            raise DataError(f'point of rank {self.rank}: damaged')
        if self.what == 'full':
            fill_disk(Path(self.work_dir))
            return
        for _ in range(self.times):
            # From another process to all of the group, as schedulers do: also to workers.
            kill = ['kill', f'-{getattr(signal, self.what):d}', '--', f'-{os.getpid()}']
            subprocess.run(kill, start_new_session=True, check=True)

    def before_run(self, runner):
        self.work_dir = runner.work_dir

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._act('train', runner.iter + 1)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._act('val', batch_idx + 1)

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._act('test', batch_idx + 1)

    def before_save_checkpoint(self, runner, checkpoint):
        self._act('save', checkpoint['meta']['iter'])


def config(
    work_dir: Path,
    *,
    by_epoch: bool = False,
    workers: int = 0,
    seconds: float = 0.0,
    val_seconds: float = 0.0,
    bad: int | None = None,
    accumulate: int = 1,
    model: dict | None = None,
    saver: dict | None = None,
    hooks: dict | None = None,
    fault: dict | None = None,
    resume: str | None = None,
    timeout: int = 60,
) -> Config:
    """A run of ``ITERATIONS``, or two epochs, that saves and validates every 4, or every epoch."""
    loader = {
        'batch_size': 2,
        'num_workers': workers,
        'dataset': {'type': 'Points', 'seconds': seconds, 'bad': bad},
        'sampler': {'type': 'DefaultSampler' if by_epoch else 'mmssl.InfiniteSampler', 'shuffle': True},
    }
    count = {'max_epochs': 2, 'val_interval': 1} if by_epoch else {'max_iters': ITERATIONS, 'val_interval': 4}
    faults = [] if fault is None else [{'type': 'Fault', **fault}]
    return Config(
        {
            'model': {'type': 'PointNet', **(model or {})},
            'work_dir': str(work_dir),
            'launcher': 'pytorch' if 'RANK' in os.environ else 'none',
            # forked workers, as in the recipes
            'env_cfg': {'mp_cfg': {'mp_start_method': 'fork'}, 'dist_cfg': {'timeout': timeout}},
            'train_dataloader': loader,
            'train_cfg': {'type': f'mmssl.Resumable{"Epoch" if by_epoch else "Iter"}BasedTrainLoop', **count},
            'val_dataloader': {
                'batch_size': 2,
                'num_workers': workers,
                'dataset': {'type': 'Points', 'seconds': val_seconds},
                'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            },
            'val_cfg': {'type': 'ValLoop'},
            'val_evaluator': {'type': 'Score'},
            'optim_wrapper': {
                'type': 'OptimWrapper',
                'optimizer': {'type': 'SGD', 'lr': 0.1, 'momentum': 0.9},
                'accumulative_counts': accumulate,
            },
            'param_scheduler': [{'type': 'PolyLR', 'end': 2 if by_epoch else ITERATIONS, 'by_epoch': by_epoch}],
            'default_hooks': {
                'checkpoint': {
                    'type': 'mmssl.AtomicCheckpointHook',
                    'by_epoch': by_epoch,
                    'interval': 1 if by_epoch else 4,
                    'max_keep_ckpts': 2,
                    **(saver or {}),
                },
                'logger': {'type': 'LoggerHook', 'interval': 1},
                'preemption': {'type': 'mmssl.PreemptionHook'},
                'non_finite_loss': {'type': 'mmssl.NonFiniteLossHook'},
                **(hooks or {}),
            },
            'custom_hooks': [{'type': 'Validations'}, *faults],
            'visualizer': {'type': 'Visualizer', 'vis_backends': [{'type': 'LocalVisBackend'}]},
            'randomness': {'seed': 3},
            'load_from': resume,
            'resume': resume is not None,
        }
    )


def train(work_dir: Path, options: dict | None = None) -> None:
    """Train as tools/train.py does, and see that signals have their handlers again."""
    torch.manual_seed(0)
    cfg = config(work_dir, **(options or {}))
    with end_at_once(cfg.launcher != 'none'):
        prepare_launch(cfg)
        runner = Runner.from_cfg(cfg)
        handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)]
        with one_line_errors(LostRankError), training_failures(runner.work_dir, runner.rank):
            runner.train()
        assert handlers == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)]


def fill_disk(folder: Path) -> None:
    """Write a file until there is no space left, and empty lines to what is left in the last blocks of logs."""
    (folder / 'filler').touch()
    for path in sorted(folder.rglob('*'), key=lambda path: path.name != 'filler'):
        if path.suffix in ('.json', '.log') or path.name == 'filler':
            with path.open('ab', buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b'\n' * (4096 if path.name == 'filler' else 1))


def result(work_dir: Path) -> tuple[dict, set[str]]:
    """What a finished run left: its last checkpoint without what tells times, and the names of all."""
    allow_mmengine_checkpoints()
    name = (work_dir / 'last_checkpoint').read_text()
    state = torch.load(work_dir / name, weights_only=True)
    parts = ('state_dict', 'optimizer', 'param_schedulers', 'ema_state_dict')
    kept = {key: state[key] for key in parts if key in state}
    kept['meta'] = {key: state['meta'][key] for key in ('epoch', 'iter')}
    return kept, {path.name for path in work_dir.glob('*.pth')}


def until(happened, processes: list, seconds: float = 60) -> None:
    """Wait for something that processes do, which do not end before."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end and all(process.exitcode is None for process in processes)
        time.sleep(0.01)
