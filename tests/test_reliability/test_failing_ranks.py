"""One rank that fails ends all of them, soon, with a code that is not 0 and a line that says why."""

import random
import runpy
import signal
import sys
import time

import pytest
from forked_runs import kill_group, run, run_ranks, start_ranks, wait
from interrupted_cases import config, train, until

BOUND = 60
"""Seconds after which every rank has ended, whatever happened to one of them."""
CASES = {
    'an error in an iteration': ({'fault': {'what': 'error', 'at': 3, 'rank': 1}}, 'error: point of rank 1: damaged'),
    'a bad image': ({'bad': 5, 'workers': 1}, 'error: point_5.png: damaged'),
    'an error in a validation': (
        {'fault': {'what': 'error', 'stage': 'val', 'at': 2, 'rank': 1}},
        'error: point of rank 1: damaged',
    ),
    'an error while rank 0 saves': (
        {'fault': {'what': 'error', 'stage': 'save', 'at': 4}},
        'error: point of rank 0: damaged',
    ),
    'a kill': ({'fault': {'what': 'SIGKILL', 'at': 3, 'rank': 1}}, None),
    'a kill of the first': ({'fault': {'what': 'SIGKILL', 'at': 3, 'rank': 0}}, None),
}
QUICK = {'an error while rank 0 saves', 'a kill'}


@pytest.mark.faults
def test_processes_without_a_launcher(tmp_path, request, count_faults):
    cases = CASES if request.config.getoption('--faults') else {name: CASES[name] for name in QUICK}
    for name, (options, message) in cases.items():
        log = tmp_path / name
        codes = run_ranks(train, tmp_path / 'run', options, log=log, seconds=BOUND)
        printed = [path.read_text() for path in sorted(tmp_path.glob(f'{name}.[01]'))]
        lines = [line for text in printed for line in text.splitlines() if line.startswith('error: ')]
        if message is None:
            assert sorted(codes) == [-signal.SIGKILL, 1], printed
            assert len(lines) == 1 and 'another process of the run has ended or does not answer' in lines[0]
        else:
            assert codes == [1, 1], printed
            assert any(line.startswith(message) for line in lines), printed
            assert len(lines) == 2  # the other one tells that it was left alone, or has met the same image
        assert not any('Traceback' in text for text in printed), printed
    count_faults('failing ranks', len(cases), len(cases))


def evaluate(tool: str, recipe: str, checkpoint: str) -> None:
    """Run tools/test.py, with what its recipe names registered by the imports here."""
    sys.argv = [tool, recipe, checkpoint, '--launcher', 'pytorch']
    runpy.run_path(tool, run_name='__main__')


@pytest.mark.faults
def test_a_rank_that_fails_in_a_test(tmp_path, repository, count_faults):
    assert run(train, tmp_path / 'trained', {'saver': {'max_keep_ckpts': 1}}, log=tmp_path / 'training') == 0
    cfg = config(tmp_path / 'tested', fault={'what': 'error', 'stage': 'test', 'at': 2, 'rank': 1})
    for part in ('dataloader', 'cfg', 'evaluator'):
        cfg[f'test_{part}'] = cfg[f'val_{part}']
    cfg.test_cfg = {'type': 'TestLoop'}
    cfg.dump(tmp_path / 'recipe.py')
    log = tmp_path / 'log'
    arguments = [str(repository / 'tools/test.py'), str(tmp_path / 'recipe.py'), str(tmp_path / 'trained/iter_12.pth')]
    codes = run_ranks(evaluate, *arguments, log=log, seconds=BOUND)
    printed = [(tmp_path / f'log.{rank}').read_text() for rank in (0, 1)]
    assert codes == [1, 1], printed
    lines = [next(line for line in text.splitlines() if line.startswith('error: ')) for text in printed]
    assert lines[0].startswith('error: rank 0: another process of the run has ended or does not answer'), printed
    assert lines[1].startswith('error: point of rank 1: damaged')
    assert not any('Traceback' in text for text in printed), printed
    count_faults('failing ranks', 1, 1)


@pytest.mark.faults
def test_a_kill_at_any_moment(tmp_path, fault_number, count_faults):
    number, draw = fault_number(0, 5), random.Random(1)
    for index in range(number):
        (tmp_path / f'{index}').mkdir()
        log = tmp_path / f'{index}/log'
        processes = start_ranks(train, tmp_path / f'{index}/run', {'seconds': 0.03, 'val_seconds': 0.05}, log=log)
        until(lambda log=log: '[1/6]' in ''.join(path.read_text() for path in log.parent.glob('log*')), processes)
        time.sleep(draw.uniform(0, 1))
        kill_group(processes[draw.randrange(2)])
        assert 0 not in wait(processes, BOUND)
    count_faults('failing ranks', number, number)


@pytest.mark.faults
def test_a_rank_that_hangs(tmp_path, count_faults):
    """With a timeout of three seconds instead of ten minutes."""
    options = {'timeout': 3, 'fault': {'what': 'SIGSTOP', 'at': 3, 'rank': 1}}
    log = tmp_path / 'log'
    processes = start_ranks(train, tmp_path / 'run', options, log=log)
    processes[0].join(BOUND)
    assert processes[0].exitcode == 1
    kill_group(processes[1])
    line = log.with_name('log.0').read_text().splitlines()[-1]
    assert line.startswith('error: rank 0: another process of the run has ended or does not answer'), line
    count_faults('failing ranks', 1, 1)
