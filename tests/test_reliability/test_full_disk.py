"""A disk that fills up ends a training by one line and loses no checkpoint; with space the training goes on."""

import ctypes
import os
from pathlib import Path

import pytest
from forked_runs import run
from interrupted_cases import result, train
from resume_cases import differences

from mmssl.apis.resuming import find_damage

NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000  # of unshare(2): one may mount in namespaces of one's own
NOT_ALLOWED = 77
CASES = {
    'a checkpoint': ({'hooks': {'logger': None}, 'fault': {'what': 'full', 'stage': 'save', 'at': 8}}, 4),
    'a line of the log': ({'fault': {'what': 'full', 'at': 10}}, 8),
    'a checkpoint of two': (
        {
            'hooks': {'logger': None},
            'saver': {'max_keep_ckpts': 1},
            'fault': {'what': 'full', 'stage': 'save', 'at': 12},
        },
        8,
    ),
}
QUICK = ['a checkpoint', 'a line of the log']


def small_disk(folder: Path) -> None:
    """Mount a disk of half a megabyte that only this process sees."""
    libc, user, group = ctypes.CDLL(None), os.getuid(), os.getgid()
    folder.mkdir()
    try:
        if libc.unshare(NEW_USER | NEW_MOUNTS):
            raise OSError
        for name, text in (('setgroups', 'deny'), ('uid_map', f'0 {user} 1'), ('gid_map', f'0 {group} 1')):
            Path(f'/proc/self/{name}').write_text(text)
        if libc.mount(b'tmpfs', bytes(folder), b'tmpfs', 0, b'size=512k'):
            raise OSError
    except OSError:
        raise SystemExit(NOT_ALLOWED) from None


def fill_and_go_on(folder: Path, whole: Path, name: str) -> None:
    """Train until the disk is full, look at what is there, make space, and go on."""
    small_disk(folder)
    options, saved = CASES[name]
    with pytest.raises(SystemExit) as left:
        train(folder, options)
    assert left.value.code == 1
    newest = folder / (folder / 'last_checkpoint').read_text()
    assert newest.name == f'iter_{saved}.pth'
    assert not [path for path in folder.glob('*.pth') if find_damage(path)]
    assert not list(folder.glob('.*.tmp'))
    (folder / 'filler').unlink()
    train(folder, {**options, 'fault': None, 'resume': str(newest)})
    assert not differences(result(folder)[0], result(whole)[0])
    print('went on')


@pytest.mark.faults
def test_a_full_disk(tmp_path, request, count_faults):
    names = list(CASES) if request.config.getoption('--faults') else QUICK
    whole = tmp_path / 'whole'
    assert run(train, whole, log=tmp_path / 'log') == 0
    for name in names:
        log = tmp_path / f'{name}.log'
        code = run(fill_and_go_on, tmp_path / name, whole, name, log=log)
        if code == NOT_ALLOWED:
            pytest.skip('this system does not let a user mount a disk in a namespace')
        printed = log.read_text()
        assert code == 0 and 'went on' in printed, printed
        (line,) = [line for line in printed.splitlines() if line.startswith('error: ')]
        assert 'No space left on device' in line
        assert f'the last checkpoint is {tmp_path / name}/iter_' in line, line
    count_faults('full disks', len(names), len(names))
