"""Checkpoints by our hook: the same as mmengine's, and there at every moment."""

import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from checkpoint_cases import files, runner

from mmssl.atomic_file import atomic_file
from mmssl.checkpoint_pointer import read_pointer, write_pointer
from mmssl.errors import DataError, DataNotFoundError
from mmssl.tensor_file import read_state_dict


@pytest.mark.parametrize('keep', [-1, 1, 2])
def test_the_same_checkpoints_as_mmengines(tmp_path, keep):
    settings = {'max_keep_ckpts': keep, 'save_best': 'score', 'rule': 'greater'}
    runner(tmp_path / 'theirs', 'CheckpointHook', **settings).train()
    runner(tmp_path / 'ours', **settings).train()
    assert files(tmp_path / 'ours') == files(tmp_path / 'theirs') >= {'best_score_iter_8.pth', 'iter_8.pth'}
    for name in files(tmp_path / 'theirs'):
        theirs, ours = (torch.load(tmp_path / run / name) for run in ('theirs', 'ours'))
        assert theirs['state_dict'].keys() == ours['state_dict'].keys()
        assert all(torch.equal(ours['state_dict'][key], value) for key, value in theirs['state_dict'].items())
        assert ours['meta']['iter'] == theirs['meta']['iter']
        info = [each['message_hub']['runtime_info'].get('keep_ckpt_ids') for each in (ours, theirs)]
        assert info[0] == info[1] and bool(info[0]) == (keep > 0)
    assert (tmp_path / 'ours/last_checkpoint').read_text() == 'iter_8.pth'


def test_an_old_checkpoint_is_there_until_the_new_one_is(tmp_path, monkeypatch):
    folder, seen = tmp_path / 'run', []

    def watch(moment):
        # Of the thread that moves files, so not by read_pointer, which waits for it.
        pointer = folder / 'last_checkpoint'
        newest = pointer.read_text() if pointer.exists() else None
        seen.append((moment, sorted(name for name in files(folder) if not name.startswith('.')), newest))
        if newest:
            torch.load(folder / newest)

    def replace(source, target, move=os.replace):
        watch(f'before {Path(target).name}')
        move(source, target)
        watch(f'after {Path(target).name}')

    def unlink(path, missing_ok=False, remove=Path.unlink):
        if path.suffix == '.pth':
            watch(f'before the end of {path.name}')
        remove(path, missing_ok)

    monkeypatch.setattr(os, 'replace', replace)
    monkeypatch.setattr(Path, 'unlink', unlink)
    runner(folder, max_keep_ckpts=1, save_best='score', rule='greater').train()
    first, best = 'best_score_iter_2.pth', 'best_score_iter_4.pth'
    # Iteration 4 is better than 2: its checkpoint is written twice, the second time with the name of the best one.
    of_the_fourth = [
        ('before iter_4.pth', [first, 'iter_2.pth'], 'iter_2.pth'),
        ('after iter_4.pth', [first, 'iter_2.pth', 'iter_4.pth'], 'iter_2.pth'),
        ('before last_checkpoint', [first, 'iter_2.pth', 'iter_4.pth'], 'iter_2.pth'),
        ('after last_checkpoint', [first, 'iter_2.pth', 'iter_4.pth'], 'iter_4.pth'),
        ('before the end of iter_2.pth', [first, 'iter_2.pth', 'iter_4.pth'], 'iter_4.pth'),
        (f'before {best}', [first, 'iter_4.pth'], 'iter_4.pth'),
        (f'after {best}', [first, best, 'iter_4.pth'], 'iter_4.pth'),
        ('before iter_4.pth', [first, best, 'iter_4.pth'], 'iter_4.pth'),
        ('after iter_4.pth', [first, best, 'iter_4.pth'], 'iter_4.pth'),
        ('before last_checkpoint', [first, best, 'iter_4.pth'], 'iter_4.pth'),
        ('after last_checkpoint', [first, best, 'iter_4.pth'], 'iter_4.pth'),
        (f'before the end of {first}', [first, best, 'iter_4.pth'], 'iter_4.pth'),
    ]
    begin = seen.index(of_the_fourth[0])
    assert seen[begin : begin + len(of_the_fourth)] == of_the_fourth
    assert files(folder) == {'best_score_iter_8.pth', 'iter_8.pth'}


@pytest.mark.parametrize('best', [None, 'score'])
def test_a_full_disk_loses_nothing(tmp_path, monkeypatch, best):
    written, save = [], torch.save

    def fill(content, file):
        written.append(file.name)
        if len(written) == 3:
            data = io.BytesIO()
            save(content, data)
            file.write(data.getvalue()[: len(data.getvalue()) // 2])
            raise OSError(errno.ENOSPC, 'No space left on device')
        save(content, file)

    monkeypatch.setattr(torch, 'save', fill)
    with pytest.raises(DataError, match='cannot be written, .*No space left on device; the last checkpoint is .*iter_'):
        runner(tmp_path / 'run', max_keep_ckpts=1, save_best=best, rule='greater' if best else None).train()
    monkeypatch.undo()
    newest = read_pointer(tmp_path / 'run')
    state = torch.load(newest)
    assert not [name for name in files(tmp_path / 'run') if name.startswith('.')]
    # The run goes on from there and ends as one on a disk that was never full.
    runner(tmp_path / 'run', max_keep_ckpts=1, resume_from=str(newest)).train()
    runner(tmp_path / 'whole', max_keep_ckpts=1).train()
    weights = [read_state_dict(read_pointer(tmp_path / run), run) for run in ('run', 'whole')]
    assert 0 < state['meta']['iter'] < 8
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[1])


def test_a_work_dir_that_moved_goes_on(tmp_path):
    runner(tmp_path / 'run', iterations=4).train()
    shutil.move(tmp_path / 'run', tmp_path / 'elsewhere')
    newest = read_pointer(tmp_path / 'elsewhere')
    assert newest == tmp_path / 'elsewhere/iter_4.pth'
    resumed = runner(tmp_path / 'elsewhere', resume_from=str(newest))
    resumed.train()
    assert resumed.iter == 8
    assert read_pointer(tmp_path / 'elsewhere').name == 'iter_8.pth'


def test_what_killed_runs_left_is_removed(tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    for name in ('.iter_2.pth.123.456.tmp', '.last_checkpoint.1.2.tmp', '.notes.tmp'):
        (folder / name).write_bytes(b'half')
    runner(folder, iterations=2).train()
    assert {path.name for path in folder.glob('.*')} == {'.notes.tmp'}
    assert '2 files of a killed run' in '\n'.join(path.read_text() for path in folder.rglob('*.log'))


SAVING = """
import sys, torch
from mmssl.checkpoint_pointer import write_pointer
from mmssl.tensor_file import write_tensor_file
import itertools
folder = sys.argv[1]
print('ready', flush=True)
for number in itertools.count():
    path = f'{folder}/iter_{number % 3}.pth'
    write_tensor_file({'state_dict': {'weight': torch.full((500_000,), float(number))}}, path)
    write_pointer(folder, path)
"""


@pytest.mark.parametrize('moment', [0.0, 0.013, 0.041])
def test_a_kill_while_saving_leaves_a_whole_checkpoint(tmp_path, moment):
    write_pointer(tmp_path, tmp_path / 'iter_0.pth')
    torch.save({'state_dict': {'weight': torch.zeros(3)}}, tmp_path / 'iter_0.pth')
    process = subprocess.Popen([sys.executable, '-c', SAVING, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b'ready\n'
    time.sleep(0.1 + moment)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for path in [read_pointer(tmp_path), *tmp_path.glob('iter_*.pth')]:
        assert len(read_state_dict(path, 'checkpoint')['weight'].unique()) == 1


def test_an_error_inside_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / 'file').write_text('old')
    with pytest.raises(RuntimeError), atomic_file(tmp_path / 'file', durable=True) as partial:
        partial.write_text('ne')
        raise RuntimeError
    assert [path.read_text() for path in tmp_path.iterdir()] == ['old']


def test_pointers(tmp_path):
    assert read_pointer(tmp_path) is None
    (tmp_path / 'run').mkdir()
    (tmp_path / 'weights').mkdir()
    (tmp_path / 'weights/iter_1.pth').touch()
    write_pointer(tmp_path / 'run', tmp_path / 'weights/iter_1.pth')
    assert (tmp_path / 'run/last_checkpoint').read_text() == '../weights/iter_1.pth'
    assert read_pointer(tmp_path / 'run').resolve() == (tmp_path / 'weights/iter_1.pth').resolve()
    (tmp_path / 'run/iter_2.pth').touch()
    (tmp_path / 'run/last_checkpoint').write_text('/gone/run/iter_2.pth\n')  # mmengine's, and the folder has moved
    assert read_pointer(tmp_path / 'run') == tmp_path / 'run/iter_2.pth'
    (tmp_path / 'run/last_checkpoint').write_text('iter_3.pth')
    with pytest.raises(DataNotFoundError, match='last_checkpoint names iter_3.pth, which does not exist'):
        read_pointer(tmp_path / 'run')
    (tmp_path / 'run/last_checkpoint').write_text('')
    with pytest.raises(DataError, match='last_checkpoint: empty, the name of a checkpoint expected'):
        read_pointer(tmp_path / 'run')
