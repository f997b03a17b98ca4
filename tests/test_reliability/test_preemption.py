"""A run that is asked to leave writes a checkpoint, leaves, and goes on to the same bits."""

import os
import random
import signal
import time

import pytest
from forked_runs import run, run_ranks, start, start_ranks, wait
from interrupted_cases import result, train, until
from resume_cases import differences

CASES = {
    'in an iteration': ({}, {'what': 'SIGTERM', 'at': 6}, 6),
    'beside workers': ({'workers': 2}, {'what': 'SIGUSR1', 'at': 6}, 6),
    'where a regular checkpoint is written': ({}, {'what': 'SIGTERM', 'at': 8}, 8),
    'twice while it saves': ({}, {'what': 'SIGTERM', 'stage': 'save', 'at': 4, 'times': 2}, 4),
    'in a validation': ({'workers': 1, 'val_seconds': 0.01}, {'what': 'SIGUSR1', 'stage': 'val', 'at': 2}, 4),
    'in an epoch': ({'by_epoch': True}, {'what': 'SIGTERM', 'at': 8}, 8),
    'in the last iteration of an epoch': ({'by_epoch': True}, {'what': 'SIGTERM', 'at': 6}, 6),
    'in the last iteration': ({}, {'what': 'SIGTERM', 'at': 12}, 12),
    'in a validation of an epoch': ({'by_epoch': True}, {'what': 'SIGTERM', 'stage': 'val', 'at': 1}, 6),
    'in a validation of averaged weights': (
        {'hooks': {'ema': {'type': 'EMAHook'}}},
        {'what': 'SIGTERM', 'stage': 'val', 'at': 2},
        4,
    ),
    'with gradients that wait': ({'accumulate': 4}, {'what': 'SIGTERM', 'at': 5}, 8),
}
QUICK = {'beside workers', 'in an epoch'}


def leaves_and_goes_on(tmp_path, options: dict, fault: dict, iteration: int, whole: tuple) -> None:
    """One run with a fault, resumed, against a whole one."""
    number, log, folder = getattr(signal, fault['what']), tmp_path / 'log', tmp_path / 'run'
    assert run(train, folder, {**options, 'fault': fault}, log=log) == 128 + number, log.read_text()
    told = [line for line in log.read_text().splitlines() if line.startswith(fault['what'])]
    assert len(told) == 1 and f'after iteration {iteration}: the run leaves, ' in told[0], log.read_text()
    newest = (folder / 'last_checkpoint').read_text()
    assert f'{folder / newest} is written' in told[0]
    assert run(train, folder, {**options, 'resume': str(folder / newest)}, log=log) == 0, log.read_text()
    final, files = result(folder)
    assert not differences(final, whole[0])
    assert files == whole[1]
    # Each validation is made once to its end, the one that was broken off too.
    validated = [int(line.split()[-1]) for line in log.read_text().splitlines() if line.startswith('validated')]
    assert validated == ([6, 12] if options.get('by_epoch') else [4, 8, 12])


@pytest.mark.faults
def test_one_process(tmp_path, request, count_faults):
    cases = CASES if request.config.getoption('--faults') else {name: CASES[name] for name in QUICK}
    wholes = {}
    for name, (options, fault, iteration) in cases.items():
        same = {key: value for key, value in options.items() if key not in ('workers', 'val_seconds')}
        kind = repr(same)
        if kind not in wholes:
            folder = tmp_path / f'whole {len(wholes)}'
            assert run(train, folder, same, log=tmp_path / 'log') == 0
            wholes[kind] = result(folder)
        (tmp_path / name).mkdir()
        leaves_and_goes_on(tmp_path / name, options, fault, iteration, wholes[kind])
    count_faults('preemption signals', len(cases), len(cases))


@pytest.mark.faults
@pytest.mark.parametrize('stage', ['train', 'val'])
def test_a_signal_to_one_of_two_ranks(tmp_path, stage, count_faults):
    fault = {'what': 'SIGUSR1', 'stage': stage, 'at': 2, 'rank': 1}
    log, folder = tmp_path / 'log', tmp_path / 'run'
    assert run_ranks(train, tmp_path / 'whole', {'workers': 1}, log=log) == [0, 0]
    options = {'workers': 1, 'fault': fault}
    assert run_ranks(train, folder, options, log=log, seconds=60) == [138, 138], told(tmp_path)
    # The rank that got it tells the other one during the next iteration, or batch of the validation.
    assert f'SIGUSR1 after iteration {3 if stage == "train" else 4}: the run leaves' in told(tmp_path)
    newest = folder / (folder / 'last_checkpoint').read_text()
    assert run_ranks(train, folder, {'workers': 1, 'resume': str(newest)}, log=log) == [0, 0], told(tmp_path)
    (final, files), (whole, expected) = result(folder), result(tmp_path / 'whole')
    assert not differences(final, whole) and files == expected
    count_faults('preemption signals', 1, 1)


def told(folder) -> str:
    return '\n'.join(path.read_text() for path in sorted(folder.glob('log*')))


@pytest.mark.faults
def test_at_any_moment(tmp_path, fault_number, count_faults):
    number = fault_number(1, 10)
    assert run_ranks(train, tmp_path / 'whole', log=tmp_path / 'log') == [0, 0]
    whole, draw = result(tmp_path / 'whole'), random.Random(0)
    slow = {'seconds': 0.03, 'val_seconds': 0.05}
    for index in range(number):
        folder = tmp_path / f'run {index}'
        folder.mkdir()
        processes = start_ranks(train, folder / 'run', slow, log=folder / 'log')
        until(lambda folder=folder: '[1/6]' in told(folder), processes)
        time.sleep(draw.uniform(0, 1.2))
        kind = draw.choice([signal.SIGTERM, signal.SIGUSR1])
        target = draw.randrange(3)
        for rank, process in enumerate(processes):
            if target in (rank, 2):
                os.killpg(process.pid, kind)
        assert wait(processes, 60) == [128 + kind] * 2, told(folder)
        newest = folder / 'run' / (folder / 'run/last_checkpoint').read_text()
        assert run_ranks(train, folder / 'run', {'resume': str(newest)}, log=folder / 'log') == [0, 0], told(folder)
        final, files = result(folder / 'run')
        assert not differences(final, whole[0]) and files == whole[1]
    count_faults('preemption signals', number, number)


def test_a_run_without_our_checkpoints_ends_as_ever(tmp_path):
    saver = {'type': 'CheckpointHook'}
    fault = {'what': 'SIGTERM'}
    code = run(train, tmp_path / 'run', {'saver': saver, 'fault': fault}, log=tmp_path / 'log')
    assert code == -signal.SIGTERM
    assert 'PreemptionHook: no mmssl.AtomicCheckpointHook, a signal ends the run as ever' in told(tmp_path)


def test_workers_live_through_signals_of_others_and_obey_their_parent(tmp_path):
    process = start(obedience, log=tmp_path / 'log')
    assert wait([process], 60) == [0], told(tmp_path)


def obedience() -> None:
    from torch.utils.data import DataLoader

    from mmssl.engine.signal_shield import shield_workers

    loader = DataLoader(range(1000), num_workers=2, multiprocessing_context='fork')
    unshield = shield_workers(loader, [signal.SIGTERM, signal.SIGUSR1])
    batches = iter(loader)
    first = next(batches)
    pids = [worker.pid for worker in batches._workers]
    for number in (signal.SIGTERM, signal.SIGUSR1):
        os.system(f'kill -{number:d} {pids[0]} {pids[1]}')  # from a process that is not their parent
    time.sleep(0.2)
    assert [first, *batches] == list(range(1000))
    unshield()
    assert loader.worker_init_fn is None
    shield_workers(loader, [signal.SIGTERM])
    batches = iter(loader)
    next(batches)
    worker = batches._workers[0]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch raises in the middle of this otherwise
    worker.terminate()
    worker.join(5)
    assert worker.exitcode == 0
