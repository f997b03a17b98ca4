"""What the hook leaves as it was, and what it says; runs that leave are in test_reliability/test_preemption.py."""

import signal
import sys
import threading
import time

import pytest
import torch
from interrupted_cases import config
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmssl.engine.hooks import PreemptionHook
from mmssl.engine.hooks.preemption_hook import _last_words, ends_with_a_step
from mmssl.engine.signal_shield import SignalNote, shield_workers
from mmssl.errors import DataError

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


def built(folder, **options) -> Runner:
    cfg = config(folder, **options)
    cfg.experiment_name = f'{folder.name}-{time.monotonic_ns()}'
    return Runner.from_cfg(cfg)


@pytest.mark.parametrize('fault', [None, {'what': 'error'}])
def test_handlers_are_those_from_before(tmp_path, fault):
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        expected = [signal.getsignal(number) for number in SIGNALS]
        runner = built(tmp_path, fault=fault, workers=1)
        loop = runner.train_loop
        start_worker = loop.dataloader.worker_init_fn
        if fault is None:
            runner.train()
        else:
            with pytest.raises(DataError):
                runner.train()
        assert [signal.getsignal(number) for number in SIGNALS] == expected
        assert 'run' not in vars(loop) and loop.dataloader.worker_init_fn is start_worker
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_in_another_thread_it_warns_and_trains(tmp_path):
    runner = built(tmp_path)
    thread = threading.Thread(target=runner.train)
    thread.start()
    thread.join(60)
    assert runner.iter == 12
    assert 'PreemptionHook: not in the main thread' in '\n'.join(path.read_text() for path in tmp_path.rglob('*.log'))


def test_the_first_signal_counts():
    note = SignalNote(SIGNALS)
    assert note.listen() and note.first == 0
    try:
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGTERM)
        assert note.first == signal.SIGUSR1
    finally:
        note.restore()
    assert note.listen() and note.first == 0
    note.restore()


def test_a_step_ends_accumulated_gradients():
    weight = nn.Parameter(torch.ones(1))
    every, third = (OptimWrapper(torch.optim.SGD([weight], lr=0.1), accumulative_counts=counts) for counts in (1, 3))
    third.initialize_count_status(nn.Linear(1, 1), 0, 5)
    both = OptimWrapperDict(every=every, third=third)
    found = []
    for _ in range(5):
        third.update_params(weight.square().sum())
        found.append((ends_with_a_step(every), ends_with_a_step(third), ends_with_a_step(both)))
    # mmengine steps at the end of a training too.
    assert found == [(True, last, last) for last in (False, False, True, False, True)]


@pytest.mark.parametrize(
    ('argv', 'launcher', 'end'),
    [
        (['tools/train.py', 'a b.py', '--amp'], 'none', "; python tools/train.py 'a b.py' --amp --resume goes on"),
        (['tools/train.py', 'c.py', '--resume', 'x.pth'], 'none', '; the same command with --resume goes on'),
        (['tools/train.py', 'c.py'], 'slurm', '; the same command with --resume goes on'),
        (['tools/lottery_ticket.py', 'c.py'], 'none', ' is written'),
    ],
)
def test_it_tells_how_to_go_on(monkeypatch, argv, launcher, end):
    monkeypatch.setattr(sys, 'argv', argv)
    told = _last_words(signal.SIGTERM, 7, 'work/iter_7.pth', launcher)
    assert told.startswith('SIGTERM after iteration 7: the run leaves, work/iter_7.pth is written')
    assert told.endswith(end)
    assert _last_words(10, 7, None, launcher).endswith('the run leaves, and no checkpoint of its weights is written')


def test_loaders_without_workers_stay_as_they_are():
    loader = DataLoader([0])
    shield_workers(loader, SIGNALS)()
    assert loader.worker_init_fn is None


def test_unknown_signals():
    with pytest.raises(ValueError, match=r"PreemptionHook: signals has \['SIGNAL'\], expected names as SIGTERM"):
        PreemptionHook(signals=['SIGTERM', 'SIGNAL'])
