"""Trainings in processes of their own: what is run, shown and kept, and how they end."""

import os
import signal
import subprocess
import sys
import time

import pytest

from mmssl.errors import DataError
from mmssl.search.candidate_training import Trainer, TrainingFailedError
from mmssl.search.folder_lock import lock_folder

# Stands in for tools/train.py, without its imports.
SCRIPT = """
import sys
print('config', *sys.argv[1:])
print('01/01 00:00:00 - mmengine - INFO - Iter(train) [ 50/200]  loss: 0.5')
text = open(sys.argv[1]).read()
if 'fail' in text:
    sys.exit('error: optim_wrapper: no such optimizer')
if 'wait' in text:
    import time
    print(' Iter(started)', flush=True)
    time.sleep(60)
"""


@pytest.fixture
def tools(tmp_path):
    folder = tmp_path / 'tools'
    folder.mkdir()
    (folder / 'train.py').write_text(SCRIPT)
    return folder


def test_progress_is_shown_and_all_output_kept(tools, tmp_path):
    shown = []
    config, work_dir = tmp_path / 'good.py', tmp_path / 'run'
    config.write_text('')
    Trainer(tools, show=shown.append)(config, work_dir)
    assert shown == ['01/01 00:00:00 - mmengine - INFO - Iter(train) [ 50/200]  loss: 0.5']
    output = (work_dir / 'output.txt').read_text().splitlines()
    assert output[0] == f'config {config} --work-dir {work_dir}' and output[1:] == shown


def test_a_training_that_left_a_checkpoint_goes_on(tools, tmp_path):
    start = [sys.executable, str(tools / 'train.py'), 'c.py', '--work-dir', str(tmp_path)]
    trainer = Trainer(tools)
    assert trainer.command('c.py', tmp_path) == start
    (tmp_path / 'last_checkpoint').write_text('iter_10.pth')
    assert trainer.command('c.py', tmp_path) == [*start, '--resume']
    several = Trainer(tools, gpus=2, amp=True).command('c.py', tmp_path)
    assert several[:4] == ['bash', str(tools / 'dist_train.sh'), 'c.py', '2']
    assert several[4:] == ['--work-dir', str(tmp_path), '--resume', '--amp']


def test_a_failure_has_its_last_line_as_reason(tools, tmp_path):
    (tmp_path / 'bad.py').write_text('fail')
    with pytest.raises(TrainingFailedError) as error:
        Trainer(tools, show=lambda line: None)(tmp_path / 'bad.py', tmp_path / 'run')
    assert str(error.value) == 'status 1: error: optim_wrapper: no such optimizer'


def test_an_interrupted_search_ends_its_training(tools, tmp_path):
    def interrupt(line):
        raise KeyboardInterrupt

    (tmp_path / 'long.py').write_text('wait')
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Trainer(tools, show=interrupt)(tmp_path / 'long.py', tmp_path / 'run')
    assert time.monotonic() - start < 30


def test_a_folder_is_held_by_one_search_and_by_what_it_left_behind(tmp_path):
    with lock_folder(tmp_path / 'search') as descriptor:
        with (
            pytest.raises(DataError, match='another process works in this folder'),
            lock_folder(tmp_path / 'search', 0),
        ):
            pass
        command = [sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(60)']
        orphan = subprocess.Popen(command, pass_fds=(descriptor,), stdout=subprocess.PIPE)
        orphan.stdout.readline()
    try:
        with (
            pytest.raises(DataError, match='a training that a search left behind'),
            lock_folder(tmp_path / 'search', 0),
        ):
            pass
    finally:
        os.kill(orphan.pid, signal.SIGKILL)
        orphan.communicate()
    with lock_folder(tmp_path / 'search'):
        pass
