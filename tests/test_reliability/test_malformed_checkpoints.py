"""Files that are cut, overwritten or oddly built give one line or the right weights, never another exception."""

import random

import pytest
import torch
from mmengine.runner import CheckpointLoader, load_checkpoint
from torch import nn

import mmssl.registry  # noqa: F401, it puts our loaders in place
from mmssl.errors import DataError
from mmssl.safetensors_file import safetensors_bytes
from mmssl.tensor_file import read_tensor_file
from mmssl.transfer.sources import read_checkpoint

KIND = 'malformed checkpoints'
READERS = (
    lambda path: read_tensor_file(path, 'checkpoint'),
    lambda path: CheckpointLoader.load_checkpoint(str(path), 'cpu'),
    lambda path: load_checkpoint(nn.Linear(40, 30), str(path), 'cpu'),
    lambda path: {'state_dict': read_checkpoint(path).tensors},
)


def content() -> dict:
    torch.manual_seed(0)
    state = {'weight': torch.randn(30, 40), 'bias': torch.randn(30)}
    return {'state_dict': state, 'meta': {'classes': ['road', 'sky'], 'iter': 3}}


def spoilt(data: bytes, draw: random.Random) -> bytes:
    """One fault somewhere: an end cut off, bits flipped, bytes zeroed, overwritten, put in or taken out."""
    place, length = draw.randrange(len(data)), draw.randrange(1, 200)
    kind = draw.choice(('cut', 'flip', 'flips', 'zero', 'noise', 'insert', 'remove', 'head'))
    if kind == 'cut':
        return data[:place]
    if kind == 'head':
        return data[min(length, len(data) - 1) :]
    if kind == 'flip':
        return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]
    if kind == 'flips':
        changed = bytearray(data)
        for _ in range(20):
            changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        return bytes(changed)
    if kind == 'insert':
        return data[:place] + draw.randbytes(length) + data[place:]
    fill = {'zero': bytes(length), 'noise': draw.randbytes(length), 'remove': b''}[kind]
    return data[:place] + fill + data[place + length :]


def outcome(read, path) -> str:
    """``one line`` or ``right``, or what else came of reading."""
    try:
        found = read(path)
    except DataError as error:
        return 'one line' if str(error).isprintable() and path.name in str(error) else f'the message {error}'
    except Exception as error:
        return repr(error)
    state, expected = found.get('state_dict', {}), content()['state_dict']
    same = state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in expected)
    return 'right' if same else 'other weights'


@pytest.mark.faults
@pytest.mark.parametrize('form', ['archive', 'before torch 1.6', 'safetensors'])
def test_damaged_bytes(tmp_path, count_faults, fault_number, form):
    path = tmp_path / ('a.safetensors' if form == 'safetensors' else 'a.pth')
    if form == 'safetensors':
        path.write_bytes(safetensors_bytes(content()))
    else:
        torch.save(content(), path, _use_new_zipfile_serialization=form == 'archive')
    data = path.read_bytes()
    assert [outcome(read, path) for read in READERS] == ['right'] * 4
    # Only torch's archives have checksums: wrong bits in the weights of the others are other weights.
    fine = {'one line', 'right'} if form == 'archive' else {'one line', 'right', 'other weights'}
    number, odd = fault_number(10, 50), []
    for seed in range(number):
        path.write_bytes(spoilt(data, random.Random(seed)))
        found = {outcome(read, path) for read in READERS}
        if not found <= fine:
            odd.append((seed, found))
    assert odd == []
    count_faults(KIND, number, number - len(odd))


WEIGHT, BIAS = content()['state_dict'].values()
ODD = {
    'nothing': None,
    'a number': 3,
    'a list': [WEIGHT],
    'a tensor': WEIGHT,
    'empty': {},
    'no weights': {'state_dict': {}, 'meta': {}},
    'state_dict is None': {'state_dict': None},
    'state_dict is a list': {'state_dict': [WEIGHT, BIAS]},
    'state_dict is a tensor': {'state_dict': WEIGHT},
    'numbers as names': {'state_dict': {0: WEIGHT, 1: BIAS}},
    'no tensors': {'state_dict': {'weight': 'text', 'bias': None}},
    'one is no tensor': {'state_dict': {'weight': WEIGHT, 'bias': [1.0]}},
    'meta is a text': {'state_dict': {'weight': WEIGHT, 'bias': BIAS}, 'meta': 'config'},
    'meta is a list': {'state_dict': {'weight': WEIGHT, 'bias': BIAS}, 'meta': ['config']},
    'a dict in a dict': {'state_dict': {'state_dict': {'weight': WEIGHT, 'bias': BIAS}}},
    'another container': {'model_ema': {'weight': WEIGHT, 'bias': BIAS}},
    'another shape': {'state_dict': {'weight': WEIGHT[:3], 'bias': BIAS}},
    'no values': {'state_dict': {'weight': WEIGHT.to('meta'), 'bias': BIAS.to('meta')}},
    'sparse': {'state_dict': {'weight': WEIGHT.to_sparse_coo(), 'bias': BIAS}},
    'other names': {'state_dict': {'conv.weight': WEIGHT, 'conv.bias': BIAS}},
}
RIGHT = {
    'no meta': {'state_dict': {'weight': WEIGHT, 'bias': BIAS}},
    'meta is None': {'state_dict': {'weight': WEIGHT, 'bias': BIAS}, 'meta': None},
    'plain': {'weight': WEIGHT, 'bias': BIAS},
    'of a wrapped model': {'state_dict': {'module.weight': WEIGHT, 'module.bias': BIAS}},
    'double': {'state_dict': {'weight': WEIGHT.double(), 'bias': BIAS.double()}},
}


@pytest.mark.faults
def test_odd_contents_are_refused_before_they_are_a_model(tmp_path, count_faults):
    path, lines = tmp_path / 'odd.pth', {}
    for name, odd in ODD.items():
        torch.save(odd, path)
        lines[name] = outcome(READERS[2], path)
    assert {name: line for name, line in lines.items() if line != 'one line'} == {}
    count_faults(KIND, len(lines), len(lines))


@pytest.mark.parametrize('name', RIGHT)
def test_what_has_the_weights_gives_them(tmp_path, name):
    torch.save(RIGHT[name], tmp_path / 'a.pth')
    model = nn.Linear(40, 30)
    load_checkpoint(model, str(tmp_path / 'a.pth'), 'cpu')
    assert torch.equal(model.weight.detach(), WEIGHT)
    assert torch.equal(model.bias.detach(), BIAS)


def test_names_in_a_file_cannot_move_the_cursor(tmp_path):
    torch.save({'state_dict': {'a\n\x1b[2Kb': WEIGHT}}, tmp_path / 'a.pth')
    with pytest.raises(DataError) as caught:
        load_checkpoint(nn.Linear(40, 30), str(tmp_path / 'a.pth'), 'cpu')
    assert 'first unexpected a ?[2Kb;' in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_checksum_is_looked_at(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(content(), path)
    data = path.read_bytes()
    place = data.index(WEIGHT.numpy().tobytes()) + 17
    path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    assert not torch.equal(torch.load(path, weights_only=True)['state_dict']['weight'], WEIGHT), 'torch does not'
    with pytest.raises(DataError, match='a.pth: damaged or no such file: its record a/data/0 has another checksum'):
        read_tensor_file(path, 'checkpoint')
