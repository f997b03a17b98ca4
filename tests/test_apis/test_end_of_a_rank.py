"""How a process of several ends; whole trainings of two are in test_reliability/test_failing_ranks.py."""

import atexit
import errno

import pytest
from forked_runs import run
from mmengine.config import Config
from torch.distributed import DistBackendError

from mmssl.apis.failing_ranks import LostRankError, end_at_once, training_failures
from mmssl.apis.launch import DIST_TIMEOUT, prepare_launch
from mmssl.checkpoint_pointer import write_pointer
from mmssl.errors import DataError

GLOO = '[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:40610'


def leave(error: BaseException | None) -> None:
    with end_at_once(True):
        atexit.register(print, 'last steps')
        if error is not None:
            raise error


@pytest.mark.parametrize(
    ('error', 'code', 'printed'),
    [
        (None, 0, ''),
        (SystemExit(0), 0, ''),
        (SystemExit(143), 143, ''),
        (SystemExit('a line'), 1, 'a line'),
        (KeyError('defect'), 1, "KeyError: 'defect'"),
    ],
)
def test_codes(tmp_path, error, code, printed):
    assert run(leave, error, log=tmp_path / 'log') == code
    text = (tmp_path / 'log').read_text()
    assert text.strip().endswith(printed)
    assert ('Traceback' in text) == isinstance(error, KeyError)


def test_a_process_alone_ends_as_ever():
    with pytest.raises(SystemExit), end_at_once(False):
        raise SystemExit(3)


@pytest.mark.parametrize(
    ('error', 'kind', 'words'),
    [
        (
            OSError(errno.ENOSPC, 'No space left on device'),
            DataError,
            'cannot be written to, .*No space left on device',
        ),
        (OSError(errno.EDQUOT, 'Disk quota exceeded'), DataError, 'cannot be written to, .*Disk quota exceeded'),
        (RuntimeError(GLOO), LostRankError, r'rank 3: another process .* \(\[/pytorch.* Connection closed by peer'),
        (DistBackendError('NCCL error'), LostRankError, r'rank 3: another process .* \(NCCL error\)'),
        (OSError(errno.EACCES, 'Permission denied'), PermissionError, 'Permission denied'),
        (RuntimeError('shapes differ'), RuntimeError, 'shapes differ'),
    ],
)
def test_errors_that_are_told_in_one_line(tmp_path, error, kind, words):
    (tmp_path / 'iter_4.pth').touch()
    write_pointer(tmp_path, tmp_path / 'iter_4.pth')
    with pytest.raises(kind, match=words) as caught, training_failures(str(tmp_path), 3):
        raise error
    assert '\n' not in str(caught.value)
    assert (f'the last checkpoint is {tmp_path}/iter_4.pth' in str(caught.value)) == (caught.value is not error)


def test_several_processes_have_a_timeout(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)  # without: the group is opened
    cfg = Config({'launcher': 'pytorch', 'env_cfg': {'cudnn_benchmark': True, 'dist_cfg': {'backend': 'nccl'}}})
    prepare_launch(cfg)
    assert cfg.env_cfg == {'cudnn_benchmark': True, 'dist_cfg': {'backend': 'nccl', 'timeout': DIST_TIMEOUT}}
    cfg = Config({'launcher': 'slurm', 'env_cfg': {'dist_cfg': {'timeout': 20}}})
    prepare_launch(cfg)
    assert cfg.env_cfg.dist_cfg.timeout == 20
    alone = Config({'launcher': 'none'})
    prepare_launch(alone)
    assert 'env_cfg' not in alone
