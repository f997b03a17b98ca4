"""The hash in a file's name: what counts as one, and what happens when the file is another."""

import hashlib

import pytest
import torch
from mmengine.runner import CheckpointLoader, load_checkpoint
from torch import nn

import mmssl.registry  # noqa: F401, it puts our loaders in place
from mmssl.errors import DataError
from mmssl.hash_in_name import check_hash_in_name, file_sha256, hash_in_name
from mmssl.safetensors_file import safetensors_bytes
from mmssl.tensor_file import read_state_dict
from mmssl.transfer.sources import read_checkpoint


@pytest.mark.parametrize(
    ('name', 'digits'),
    [
        ('resnet50-0676ba61.pth', '0676ba61'),
        ('net_20200604_192608-efe53f0d.pth', 'efe53f0d'),
        ('net-12345678.safetensors', '12345678'),  # no date
        ('net-20240131.pth', None),  # a date
        ('net-20240132.pth', '20240132'),  # the 32nd of January
        ('net_0676ba61.pth', None),
        ('net-0676ba6.pth', None),
        ('net-0676BA61.pth', None),
        ('net-0676ba61', None),
        ('net-' + 'a' * 64 + '.pth', 'a' * 64),
        ('net-' + 'a' * 65 + '.pth', None),
        ('iter_600.pth', None),
    ],
)
def test_what_counts_as_a_hash(name, digits):
    assert hash_in_name(name) == digits


def test_the_hash_is_that_of_the_bytes(tmp_path):
    data = bytes(range(256)) * 5000
    (tmp_path / 'a').write_bytes(data)
    assert file_sha256(tmp_path / 'a') == hashlib.sha256(data).hexdigest()


READERS = {
    'read_state_dict': lambda path: read_state_dict(path, 'checkpoint'),
    'a source of transfer rules': read_checkpoint,
    'CheckpointLoader': lambda path: CheckpointLoader.load_checkpoint(str(path), 'cpu'),
    'load_checkpoint': lambda path: load_checkpoint(nn.Linear(2, 2), str(path), 'cpu'),
}


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
@pytest.mark.parametrize('reader', READERS)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, monkeypatch, reader, suffix):
    read, state = READERS[reader], {'state_dict': nn.Linear(2, 2).state_dict()}
    path = tmp_path / f'a{suffix}'
    torch.save(state, path) if suffix == '.pth' else path.write_bytes(safetensors_bytes(state))
    digest = file_sha256(path)
    named = path.rename(tmp_path / f'net-{digest[:8]}{suffix}')
    read(named)
    wrong = tmp_path / f'net-{"0" * 7}f{suffix}'
    named.rename(wrong)
    with pytest.raises(DataError) as caught:
        read(wrong)
    assert str(caught.value) == (
        f'{wrong}: sha256 {digest} found, 0000000f... expected by its name; under another name, or with '
        'MMSSL_HASH_IN_NAME=warn, it is read nevertheless'
    )
    monkeypatch.setenv('MMSSL_HASH_IN_NAME', 'warn')
    with pytest.warns(UserWarning, match='0000000f... expected by its name; read nevertheless'):
        read(wrong)
    monkeypatch.delenv('MMSSL_HASH_IN_NAME')
    read(wrong.rename(tmp_path / f'net{suffix}'))


def test_a_file_without_a_hash_is_not_read_for_it(tmp_path):
    check_hash_in_name(tmp_path / 'there_is_none.pth')
