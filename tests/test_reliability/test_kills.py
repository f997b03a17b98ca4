"""A run that is killed again and again, at any moment, ends with the bits of one that was not."""

import random
import sys
import time
from pathlib import Path

import pytest
import torch
from forked_runs import kill_group, run, start

from mmssl.apis.resuming import find_damage, find_resume_checkpoint
from mmssl.tensor_file import read_tensor_file

PARAMETERS = 2_000_000  # a checkpoint of 24 MB: as much time goes into saving as into training


def train(work_dir: str, iterations: int, resume: bool) -> None:
    """Train a vector that saves after every iteration; goes on from the newest checkpoint."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'test_engine'))
    import test_resume_check_hook as cases

    from mmssl.registry import MODELS

    class LargeNet(cases.LinearNet):
        def __init__(self, width):
            super().__init__(width)
            self.weight = torch.nn.Parameter(torch.zeros(PARAMETERS))

        def forward(self, inputs, mode='tensor'):
            drawn = torch.rand(PARAMETERS)
            # a hundredth: the step is too long for it, and hundreds of iterations would end in numbers without bits
            return {'loss': super().forward(inputs, mode)['loss'] / 100 + (self.weight - drawn).square().mean()}

    MODELS.register_module(name='LargeNet', module=LargeNet)
    newest = find_resume_checkpoint('auto', work_dir) if resume else None
    interval = 1 if resume else iterations
    runner = cases.runner(work_dir, length=iterations, interval=interval, resume=newest, keep=2, model='mmssl.LargeNet')
    runner.train()


@pytest.mark.faults
def test_kills_at_any_moment(tmp_path, fault_number, count_faults):
    kills, lost, during_saves = fault_number(3, 60), 0, 0
    draw, run_dir, log = random.Random(0), tmp_path / 'run', tmp_path / 'log'
    run_dir.mkdir()
    reached = 0
    for _ in range(kills):
        process = start(train, str(run_dir), 10**6, True, log=log)
        _wait_for_a_save(process, run_dir, reached, log)
        time.sleep(draw.uniform(0, 0.3))
        kill_group(process)
        during_saves += bool(list(run_dir.glob('.*.tmp')))
        newest = find_resume_checkpoint('latest', str(run_dir))
        iteration = read_tensor_file(newest, 'checkpoint')['meta']['iter']
        others = [path for path in run_dir.glob('*.pth') if find_damage(path)]
        lost += iteration < reached or bool(others)
        reached = iteration
    assert run(train, str(tmp_path / 'whole'), reached, False, log=log) == 0, log.read_text()
    whole, killed = (
        read_tensor_file(folder / f'iter_{reached}.pth', 'checkpoint') for folder in (tmp_path / 'whole', run_dir)
    )
    for key, value in whole['state_dict'].items():
        assert value.isfinite().all() and torch.equal(value, killed['state_dict'][key])
    momentum = [content['optimizer']['state'][0]['momentum_buffer'] for content in (whole, killed)]
    assert torch.equal(*momentum)
    count_faults('kills during a save', during_saves, during_saves)
    count_faults('kills between saves', kills - during_saves, kills - during_saves, lost)


def _wait_for_a_save(process, run_dir: Path, reached: int, log: Path) -> None:
    pointer, seconds = run_dir / 'last_checkpoint', 60
    known = f'iter_{reached}.pth'
    end = time.monotonic() + seconds
    while not pointer.exists() or pointer.read_text() == known:
        assert process.is_alive() and time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.005)
