"""What mmengine's CheckpointLoader does with the names that it knows, once mmssl is imported."""

import json
import logging

import pytest
import torch
from mmengine.runner import CheckpointLoader, checkpoint, load_checkpoint
from torch import nn

from mmssl.checkpoint_loading import LOADERS, drop_code
from mmssl.compat import load_checkpoints_safely
from mmssl.errors import DataError, DataNotFoundError
from mmssl.hash_in_name import file_sha256
from mmssl.safetensors_file import safetensors_bytes

load_checkpoints_safely()
STATE = {'weight': torch.ones(2, 2), 'bias': torch.zeros(2)}


def load(name: str):
    return CheckpointLoader.load_checkpoint(name, 'cpu')


def test_every_kind_of_name_of_mmengine_has_our_loader():
    assert dict(CheckpointLoader._schemes) == LOADERS
    load_checkpoints_safely()  # as often as wanted
    assert dict(CheckpointLoader._schemes) == LOADERS


def test_a_file(tmp_path, monkeypatch):
    torch.save({'state_dict': STATE, 'message_hub': {'runtime_info': {}}}, tmp_path / 'a.pth')
    monkeypatch.setenv('HOME', str(tmp_path))
    found = load('~/a.pth')
    assert found['meta'] == {}  # mmseg's init_model asks for it
    assert torch.equal(found['state_dict']['weight'], STATE['weight'])
    with pytest.raises(FileNotFoundError, match='checkpoint no.pth: no such file'):
        load('no.pth')


@pytest.mark.parametrize('map_location', ['cpu', torch.device('cpu'), None, lambda storage, _: storage])
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_map_locations(tmp_path, suffix, map_location):
    path = tmp_path / f'a.{suffix}'
    content = {'state_dict': STATE, 'meta': {'dataset_meta': {'classes': ['a', 'b']}}}
    torch.save(content, path) if suffix == 'pth' else path.write_bytes(safetensors_bytes(content))
    found = CheckpointLoader.load_checkpoint(str(path), map_location)
    assert found['meta'] == content['meta']
    assert all(torch.equal(found['state_dict'][name], value) for name, value in STATE.items())
    to_meta = CheckpointLoader.load_checkpoint(str(path), 'meta')
    assert to_meta['state_dict']['weight'].device.type == 'meta'


@pytest.fixture
def server(server, tmp_path, monkeypatch):
    """What is fetched from it goes to ``hub``."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    return server


def published(folder, name='net') -> str:
    torch.save({'state_dict': STATE}, folder / 'a.pth')
    return (folder / 'a.pth').rename(folder / f'{name}-{file_sha256(folder / "a.pth")[:8]}.pth').name


def test_an_address(tmp_path, server):
    name = published(tmp_path / 'www')
    model = nn.Linear(2, 2)
    load_checkpoint(model, f'{server}/{name}', 'cpu')
    assert torch.equal(model.weight, STATE['weight'])
    assert (tmp_path / 'hub/checkpoints' / name).is_file()
    (tmp_path / 'www' / name).write_bytes(b'other')
    (tmp_path / 'www' / name).rename(tmp_path / 'www/net-abcdef01.pth')
    with pytest.raises(DataError, match=f'^{server}/net-abcdef01.pth: sha256 d9298a10.* expected by its name'):
        load(f'{server}/net-abcdef01.pth')
    assert [path.name for path in (tmp_path / 'hub/checkpoints').iterdir()] == [name]
    with pytest.raises(DataError, match='none.pth: cannot be fetched: HTTP Error 404'):
        load(f'{server}/none.pth')


def test_names_of_model_zoos(tmp_path, monkeypatch, server):
    address = f'{server}/{published(tmp_path / "www")}'
    for function in ('get_torchvision_models', 'get_external_models', 'get_mmcls_models'):
        monkeypatch.setattr(checkpoint, function, lambda: {'net': address, 'own': 'own.pth'})
    monkeypatch.setattr(checkpoint, 'get_deprecated_model_names', lambda: {'old': 'net'})
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    torch.save({'state_dict': {'backbone.weight': STATE['weight'], 'fc': STATE['bias']}}, tmp_path / 'own.pth')
    for name in ('torchvision://net', 'modelzoo://net', 'open-mmlab://net', 'openmmlab://net', 'open-mmlab://old'):
        assert torch.equal(load(name)['state_dict']['weight'], STATE['weight']), name
    assert load('openmmlab://own')['state_dict'].keys() == {'backbone.weight', 'fc'}
    assert load('mmcls://own')['state_dict'].keys() == {'weight'}
    with pytest.raises(DataError, match='torchvision://nett: no such model, expected one of the 2 that mmengine lists'):
        load('torchvision://nett')


@pytest.mark.parametrize('name', ['s3://bucket/a.pth', 'cluster:s3://bucket/a.pth', 'petrel://a.pth', 'pavi://a.pth'])
def test_storage_with_loaders_of_its_own_is_refused(name):
    with pytest.raises(DataError, match=f'^{name}: a file or an http.s. address expected; copy it to a disk first'):
        load(name)


def test_only_what_mmengine_would_run_is_dropped(monkeypatch):
    told = []
    monkeypatch.setattr('mmssl.checkpoint_loading.print_log', lambda *arguments: told.append(arguments))
    meta = {'config': 'import os', 'cfg': 'model = dict()', 'CLASSES': ('road',)}
    assert drop_code({'meta': meta}, 'a.pth') == {'meta': {'cfg': 'model = dict()', 'CLASSES': ('road',)}}
    line = 'checkpoint a.pth: the config in its meta is code; it is left out and not run'
    assert told == [(line, 'current', logging.WARNING)]
    for plain in ({'weight': 1}, {'meta': 'config'}, {'meta': {}}):
        assert drop_code(dict(plain), 'a.pth') == plain
    assert len(told) == 1


def test_safetensors_of_others_and_damaged_ones(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / 'a.safetensors'
    save_file(STATE, path, {'format': 'pt', 'meta': 'a text of theirs'})
    assert load(str(path))['meta'] == {}
    header = json.dumps({'__metadata__': {'mmssl.meta': '{not json'}}).encode()
    for data in (b'', b'PK\x03\x04', len(header).to_bytes(8, 'little') + header, path.read_bytes()[:-3]):
        path.write_bytes(data)
        with pytest.raises(DataError, match='a.safetensors: damaged or no such file: '):
            load(str(path))
    with pytest.raises(DataNotFoundError, match='b.safetensors: no such file'):
        load(str(tmp_path / 'b.safetensors'))


def test_what_safetensors_cannot_hold():
    for content in ({'state_dict': STATE, 'optimizer': {}}, {'weight': STATE['weight']}):
        with pytest.raises(DataError, match='safetensors: .* found, state_dict and meta expected'):
            safetensors_bytes(content)
    with pytest.raises(DataError, match='safetensors: cannot hold this'):
        safetensors_bytes({'state_dict': STATE, 'meta': {'a': object()}})
    shared = torch.arange(6.0)
    data = safetensors_bytes({'state_dict': {'a': shared[:4], 'b': shared[2:], 'c': shared.view(2, 3).T}})
    assert data == safetensors_bytes({'state_dict': {'a': shared[:4], 'b': shared[2:], 'c': shared.view(2, 3).T}})
