"""Reading checkpoints: every container, work dirs, addresses, damaged files."""

import hashlib

import pytest
import torch
from torch import nn

from mmssl.download import download_path, fetch
from mmssl.errors import DataError, DataNotFoundError
from mmssl.transfer.sources import locate, read_checkpoint, read_sources

STATE = {'backbone.conv.weight': torch.arange(4.0), 'backbone.bn.num_batches_tracked': torch.tensor(3)}


@pytest.mark.parametrize(
    'content',
    [
        STATE,
        {'state_dict': STATE, 'meta': {'epoch': 3}},
        {'model': STATE, 'epoch': 3},
        {'model_state_dict': STATE},
        {f'module.{key}': value for key, value in STATE.items()},
        {'state_dict': {f'module._orig_mod.{key}': value for key, value in STATE.items()}},
        {**STATE, 'backbone._extra_state': {'note': 'no tensor'}},
    ],
)
def test_every_container_gives_the_same_tensors(tmp_path, content):
    torch.save(content, tmp_path / 'a.pth')
    source = read_checkpoint(tmp_path / 'a.pth')
    assert list(source.tensors) == list(STATE)
    assert all(torch.equal(source.tensors[key], STATE[key]) for key in STATE)
    assert source.sha256 == hashlib.sha256((tmp_path / 'a.pth').read_bytes()).hexdigest()


def test_a_module_named_module_keeps_its_name(tmp_path):
    torch.save({'module.a': torch.zeros(1), 'b': torch.zeros(1)}, tmp_path / 'a.pth')
    assert list(read_checkpoint(tmp_path / 'a.pth').tensors) == ['module.a', 'b']


@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (lambda p: p.write_bytes(b''), 'not a file that torch.load reads'),
        (lambda p: p.write_text('<html>404</html>'), 'not a file that torch.load reads'),
        (lambda p: torch.save(nn.Linear(1, 1), p), 'not a file that torch.load reads with weights_only=True'),
        (lambda p: torch.save(torch.zeros(3), p), 'holds a Tensor, expected a state dict'),
        (lambda p: torch.save({'epoch': 3, 'loss': 0.1}, p), 'no tensors under names.*it holds epoch, loss'),
        (lambda p: torch.save({'state_dict': {}}, p), 'no tensors under names.*it holds nothing'),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, write, message):
    path = tmp_path / 'bad.pth'
    write(path)
    with pytest.raises(DataError, match=message) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_cut_file_is_told(tmp_path):
    path = tmp_path / 'cut.pth'
    torch.save({'a': torch.randn(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match='cut.pth: not a file that torch.load reads'):
        read_checkpoint(path)


def test_a_work_dir_means_its_last_checkpoint(tmp_path):
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        torch.save(STATE, tmp_path / name)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    assert locate(str(tmp_path)) == tmp_path / 'epoch_2.pth'
    # the folder has moved since
    (tmp_path / 'last_checkpoint').write_text('/nowhere/work_dirs/run/epoch_1.pth')
    assert locate(str(tmp_path)) == tmp_path / 'epoch_1.pth'
    (tmp_path / 'last_checkpoint').write_text('/nowhere/epoch_9.pth')
    with pytest.raises(DataNotFoundError, match='names /nowhere/epoch_9.pth, which does not exist'):
        locate(str(tmp_path))


def test_what_does_not_exist_is_told(tmp_path):
    with pytest.raises(DataNotFoundError, match='no.pth: no such checkpoint file or work dir'):
        locate(str(tmp_path / 'no.pth'))
    with pytest.raises(DataNotFoundError, match='a folder without last_checkpoint'):
        locate(str(tmp_path))


def test_a_file_named_in_two_ways_is_read_once(tmp_path):
    torch.save(STATE, tmp_path / 'epoch_2.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    sources = read_sources([str(tmp_path), str(tmp_path / 'epoch_2.pth'), str(tmp_path)])
    first, second = sources.values()
    assert first is second


def test_an_address_is_fetched_once(tmp_path, monkeypatch, server):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    file = tmp_path / 'www/epoch_60.pth'
    torch.save(STATE, file)
    address = f'{server}/epoch_60.pth'
    with pytest.raises(DataNotFoundError, match='not fetched'):
        locate(address)
    path = fetch(address)
    assert path.parent == tmp_path / 'hub/checkpoints'
    source = read_sources([address])[address]
    assert source.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    file.unlink()
    assert fetch(address) == path
    # another address with the same file name is another file
    assert download_path(f'{server}/other/epoch_60.pth') != path
    with pytest.raises(DataError, match='missing.pth: cannot be fetched: HTTP Error 404'):
        fetch(f'{server}/missing.pth')
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_hash_in_the_name_is_checked(tmp_path, monkeypatch, server):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    torch.save(STATE, tmp_path / 'www/a.pth')
    digest = hashlib.sha256((tmp_path / 'www/a.pth').read_bytes()).hexdigest()
    good, bad = f'net-{digest[:16]}.pth', f'net-{"abcdef01" * 2}.pth'
    for name in (good, bad):
        (tmp_path / 'www' / name).write_bytes((tmp_path / 'www/a.pth').read_bytes())
    assert fetch(f'{server}/{good}').name == good
    kept = download_path(f'{server}/{good}')
    with pytest.raises(DataError, match=f'{bad}: sha256 {digest} found, abcdef01abcdef01... expected by its name'):
        fetch(f'{server}/{bad}')
    assert [path.name for path in kept.parent.iterdir()] == [good]
    kept.write_bytes(b'damaged')
    with pytest.raises(DataError, match=f'expected by its name.*; {kept} is removed'):
        fetch(f'{server}/{good}')
    assert not kept.exists()
    assert fetch(f'{server}/{good}') == kept
    monkeypatch.setenv('MMSSL_HASH_IN_NAME', 'warn')
    with pytest.warns(UserWarning, match='abcdef01... expected by its name; read nevertheless'):
        assert fetch(f'{server}/{bad}').is_file()


def test_a_date_in_the_name_is_no_hash():
    assert download_path('https://x.org/net-20240101.pth').name.startswith('net-20240101_from_')
    assert download_path('https://x.org/net-20241301.pth').name == 'net-20241301.pth'  # no such month
    assert download_path('https://x.org/net_8xb32-0676ba61.pth').name == 'net_8xb32-0676ba61.pth'
