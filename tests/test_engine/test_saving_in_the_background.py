"""The training goes on while a checkpoint goes to the disk, and nothing is lost by that."""

import errno
import threading
import time
from pathlib import Path

import forked_runs
import interrupted_cases
import pytest
import torch
from checkpoint_cases import files, runner
from mmengine.hooks import Hook

from mmssl import pending_files
from mmssl.background import finish_background_work
from mmssl.checkpoint_pointer import read_pointer
from mmssl.errors import DataError


class Iterations(Hook):
    """Calls a function with the number of each finished iteration."""

    def __init__(self, call):
        self.call = call

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.call(runner.iter + 1)


def test_the_training_does_not_wait_for_the_disk(tmp_path, monkeypatch):
    disk, order, original = threading.Event(), [], pending_files.flush

    def slow(path):
        if path.name.startswith('.iter_4.'):
            assert disk.wait(30)
            order.append('the disk has it')
        original(path)

    def finished(iteration):
        order.append(iteration)
        if iteration == 5:  # reached only by a training that does not wait
            assert [path.name for path in (tmp_path / 'run').glob('iter_*.pth')] == ['iter_2.pth']
            disk.set()

    monkeypatch.setattr(pending_files, 'flush', slow)
    training = runner(tmp_path / 'run', max_keep_ckpts=1)
    training.register_hook(Iterations(finished))
    training.train()
    place = order.index('the disk has it')  # before or after iteration 6, whose checkpoint waits for it
    assert place in (5, 6) and order[:place] + order[place + 1 :] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert files(tmp_path / 'run') == {'iter_8.pth'}


def test_the_next_checkpoint_waits_for_the_disk(tmp_path, monkeypatch):
    order, original = [], pending_files.flush

    def slow(path):
        if path.name.startswith('.iter_'):
            time.sleep(0.2)
            order.append(f'flushed {path.name.split(".")[1]}')
        original(path)

    def save(content, file, write=torch.save):
        order.append(f'written {Path(file.name).name.split(".")[1]}')
        write(content, file)

    monkeypatch.setattr(pending_files, 'flush', slow)
    monkeypatch.setattr(torch, 'save', save)
    runner(tmp_path / 'run').train()
    assert order == [f'{what} iter_{number}' for number in (2, 4, 6, 8) for what in ('written', 'flushed')]


@pytest.mark.parametrize('best', [None, 'score'])
def test_a_disk_that_does_not_take_a_checkpoint_ends_the_run(tmp_path, monkeypatch, best):
    reached, original = [], pending_files.flush
    name = 'best_score_iter_4.pth' if best else 'iter_4.pth'

    def broken(path):
        if path.name.startswith(f'.{name}'):
            raise OSError(errno.EIO, 'Input/output error')
        original(path)

    def finished(iteration):
        finish_background_work()
        reached.append(iteration)

    monkeypatch.setattr(pending_files, 'flush', broken)
    training = runner(tmp_path / 'run', max_keep_ckpts=1, save_best=best, rule='greater' if best else None)
    training.register_hook(Iterations(finished))
    with pytest.raises(DataError) as failed:
        training.train()
    newest = tmp_path / 'run' / ('iter_4.pth' if best else 'iter_2.pth')
    written = tmp_path / 'run/iter_4.pth'
    assert str(failed.value) == (
        f'{written}: the checkpoint cannot be written, [Errno 5] Input/output error; the last checkpoint is {newest}'
    )
    assert reached == [1, 2, 3, 4, 5]
    logged = [path.read_text() for path in (tmp_path / 'run').rglob('*.log')]
    assert f'{written}: not written, [Errno 5] Input/output error' in ''.join(logged)
    assert files(tmp_path / 'run') == {newest.name, *(['best_score_iter_2.pth'] if best else [])}
    assert read_pointer(tmp_path / 'run') == newest
    torch.load(newest)


def fail_beside_a_slow_disk(work_dir: Path) -> None:
    """Save after four iterations, and fail before the disk has the checkpoint."""

    def slow(path, original=pending_files.flush):
        time.sleep(0.5)
        original(path)

    pending_files.flush = slow
    interrupted_cases.train(work_dir, {'fault': {'what': 'error', 'at': 6}, 'saver': {'save_best': None}})


def test_a_run_that_fails_leaves_what_it_had_saved(tmp_path):
    assert forked_runs.run(fail_beside_a_slow_disk, tmp_path / 'run', log=tmp_path / 'log') == 1
    assert 'damaged' in (tmp_path / 'log').read_text()
    assert read_pointer(tmp_path / 'run') == tmp_path / 'run/iter_4.pth'
    assert files(tmp_path / 'run') == {'iter_4.pth'}
