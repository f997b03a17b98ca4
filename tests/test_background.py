"""Work beside a process: its end, its errors, and the end of the process."""

import os
import threading
import time
from pathlib import Path

import forked_runs
import pytest

from mmssl.apis.failing_ranks import end_at_once
from mmssl.background import Background, finish_background_work


def test_it_goes_on_beside_the_caller_until_waited_for():
    done, begun = threading.Event(), []
    work = Background(lambda: begun.append(done.wait(10)))
    assert not begun
    done.set()
    work.wait()
    assert begun == [True] and not work.failed


def test_an_error_is_raised_once_by_wait():
    def fail():
        raise OSError('full')

    work = Background(fail)
    finish_background_work()
    assert work.failed
    with pytest.raises(OSError, match='full'):
        work.wait()
    assert not work.failed
    work.wait()


def test_all_work_is_finished():
    finished = []
    for number in range(3):
        Background(lambda number=number: (time.sleep(0.05 * number), finished.append(number)))
    finish_background_work()
    assert finished == [0, 1, 2]


def write_late(path: Path, ends: str) -> None:
    """Begin to write a file, and end the process in one of its ways."""
    Background(lambda: (time.sleep(0.3), path.write_text('whole')))
    if ends == 'rank':
        with end_at_once(True):
            raise SystemExit(3)
    raise SystemExit(3)


@pytest.mark.parametrize('ends', ['by itself', 'rank'])
def test_a_process_that_ends_finishes_it(tmp_path, ends):
    assert forked_runs.run(write_late, tmp_path / 'file', ends, log=tmp_path / 'log') == 3
    assert (tmp_path / 'file').read_text() == 'whole'


def test_a_forked_process_does_not_wait_for_it():
    done = threading.Event()
    work = Background(lambda: done.wait(20))
    child = os.fork()
    if child == 0:
        finish_background_work()
        os._exit(7)
    end = time.monotonic() + 10
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end:
        time.sleep(0.01)
    done.set()
    work.wait()
    assert ended[0] == child and os.waitstatus_to_exitcode(ended[1]) == 7
