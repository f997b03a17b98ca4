"""Which checkpoint --resume takes, and that a damaged one is named and never replaced by itself."""

import os

import pytest
import torch

from mmssl.apis.resuming import find_damage, find_resume_checkpoint
from mmssl.checkpoint_pointer import write_pointer
from mmssl.errors import DataError, DataNotFoundError


@pytest.fixture
def work_dir(tmp_path):
    """Three checkpoints, the last one pointed to, and a best one."""
    for number, name in enumerate(('iter_1', 'iter_2', 'best_mIoU_iter_2', 'iter_3')):
        path = tmp_path / f'{name}.pth'
        torch.save({'state_dict': {'weight': torch.arange(5000.0) + number}, 'meta': {'iter': number}}, path)
        os.utime(path, (number, number))
    write_pointer(tmp_path, tmp_path / 'iter_3.pth')
    return tmp_path


def flip(path, share: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * share)] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize('resume', ['latest', 'auto', '{}', '{}/iter_3.pth'])
def test_the_newest_one(work_dir, resume):
    assert find_resume_checkpoint(resume.format(work_dir), str(work_dir)) == f'{work_dir}/iter_3.pth'


def test_nothing_to_resume(tmp_path):
    assert find_resume_checkpoint('auto', str(tmp_path / 'new')) is None
    with pytest.raises(DataNotFoundError, match=f'--resume: no checkpoint in {tmp_path}/new'):
        find_resume_checkpoint('latest', str(tmp_path / 'new'))


def test_torch_reads_a_flipped_bit_and_we_do_not(work_dir):
    path = work_dir / 'iter_3.pth'
    assert find_damage(path) is None
    flip(path)
    weight = torch.load(path)['state_dict']['weight']
    assert (weight != torch.arange(5000.0) + 3).sum() == 1  # silently another network
    with pytest.raises(
        DataError,
        match=rf'iter_3.pth: damaged, its record .*/data/0 has another checksum; --resume '
        rf'{work_dir}/iter_2.pth goes on from the one before it',
    ):
        find_resume_checkpoint('latest', str(work_dir))
    assert find_resume_checkpoint(str(work_dir / 'iter_2.pth'), '') == f'{work_dir}/iter_2.pth'


@pytest.mark.parametrize('size', [0, 1, 100, 10000, -1])
@pytest.mark.parametrize('resume', ['latest', 'auto'])
def test_a_truncated_one_is_never_passed_over(work_dir, size, resume):
    path = work_dir / 'iter_3.pth'
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match='iter_3.pth: damaged, .*; --resume .*iter_2.pth goes on'):
        find_resume_checkpoint(resume, str(work_dir))
    flip(work_dir / 'iter_2.pth')
    with pytest.raises(DataError, match='iter_3.pth: damaged, .*; --resume .*iter_1.pth goes on'):
        find_resume_checkpoint(resume, str(work_dir))
    (work_dir / 'iter_1.pth').write_bytes(b'')
    with pytest.raises(DataError, match='iter_3.pth: damaged, .*; there is no whole one beside it'):
        find_resume_checkpoint(resume, str(work_dir))


def test_every_byte_counts(work_dir):
    """Flip one bit at places spread over the file: what is read then is refused or the same."""
    path = work_dir / 'iter_1.pth'
    whole = path.read_bytes()
    expected = torch.load(path)
    unnoticed = 0
    for share in torch.linspace(0, 0.999, 60).tolist():
        path.write_bytes(whole)
        flip(path, share)
        if find_damage(path) is None:
            unnoticed += 1
            found = torch.load(path)
            assert found['meta'] == expected['meta']
            assert torch.equal(found['state_dict']['weight'], expected['state_dict']['weight'])
    assert unnoticed < 6  # padding and fields that nobody reads


def test_the_old_format_is_read(tmp_path):
    torch.save({'state_dict': {'weight': torch.ones(2)}}, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    assert find_damage(tmp_path / 'old.pth') is None
    (tmp_path / 'text.pth').write_text('no checkpoint')
    assert find_damage(tmp_path / 'text.pth').startswith('no archive of torch')
