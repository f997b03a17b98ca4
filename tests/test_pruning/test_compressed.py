"""Compressed weights: what comes back is equal in every bit, and changed files are refused."""

import random

import pytest
import torch

from mmssl.errors import DataError
from mmssl.pruning.compressed import compress, decompress
from mmssl.tensor_file import read_tensor_file, write_tensor_file

META = {'dataset_meta': {'classes': ('road', 'sky'), 'palette': [[1, 2, 3]]}, 'epoch': 3}


def sparse(*shape, sparsity=0.8, dtype=torch.float32):
    return torch.where(torch.rand(shape) < sparsity, 0, torch.randn(shape)).to(dtype)


@pytest.fixture
def state():
    torch.manual_seed(0)
    special = sparse(40, 40)
    special[0, :5] = torch.tensor([-0.0, float('nan'), float('inf'), 1e-45, -1e-45])
    special.view(torch.int32)[0, 6] = 0x7FC12345  # a not-a-number with contents of its own
    return {
        'conv': sparse(64, 32, 3, 3),
        'special': special,
        'dense': torch.randn(50, 50),
        'transposed': sparse(30, 60).T,
        'half': sparse(64, 64, dtype=torch.float16),
        'brain': sparse(64, 64, dtype=torch.bfloat16),
        'double': sparse(64, 64, dtype=torch.float64),
        'long': sparse(64, 64, sparsity=0.0).long(),
        'bool': torch.rand(100) < 0.5,
        'complex': torch.zeros(80, dtype=torch.complex64),
        'scalar': torch.tensor(3),
        'empty': torch.empty(0, 4),
        'zeros': torch.zeros(1000),
        'few': torch.zeros(8),
    }


def bits(tensor):
    return tensor.contiguous().view(-1).view(torch.uint8) if tensor.numel() else tensor


def test_round_trip_is_equal_in_every_bit_and_smaller(state, tmp_path):
    write_tensor_file({'state_dict': state, 'meta': META}, tmp_path / 'dense.pth')
    write_tensor_file(compress(state, META), tmp_path / 'small.pth')
    content = read_tensor_file(tmp_path / 'small.pth', 'export')
    assert set(content['dense']) == {'dense', 'scalar', 'empty', 'few'}
    kept = sum(tensor.numel() * tensor.element_size() for tensor in content['dense'].values())
    for name in content['sparse']:
        kept += -(-state[name].numel() // 8) + int((state[name] != 0).sum()) * state[name].element_size()
    sizes = [(tmp_path / name).stat().st_size for name in ('dense.pth', 'small.pth')]
    assert 0 < sizes[1] - kept < 16_000  # names and padding
    assert sizes[1] < 0.45 * sizes[0]
    back, meta = decompress(content, 'small.pth')
    assert list(back) == list(state)
    for name, tensor in state.items():
        assert (back[name].dtype, back[name].shape) == (tensor.dtype, tensor.shape), name
        assert torch.equal(bits(back[name]), bits(tensor)), name
    assert torch.signbit(back['special'][0, 0])
    assert meta == META


def test_size_by_hand():
    weight = torch.zeros(100, 100)
    weight.view(-1)[:2000] = 1
    parts = compress({'a': weight})['sparse']['a']
    assert parts['bits'].numel() == 1250
    assert parts['values'].shape == (2000,)  # 8000 + 1250 bytes in place of 40000
    # below a saving of one bit a number the tensor stays as it is
    for zeros, kind in ((312, 'dense'), (313, 'sparse')):
        weight = torch.ones(10000)
        weight[:zeros] = 0
        assert list(compress({'a': weight})[kind]) == ['a']


def test_a_view_does_not_drag_its_storage_along(tmp_path):
    write_tensor_file(compress({'a': torch.randn(1_000_000)[:4]}), tmp_path / 'a.pth')
    assert (tmp_path / 'a.pth').stat().st_size < 10_000


def test_truncated_files(state, tmp_path):
    path = tmp_path / 'small.pth'
    write_tensor_file(compress(state), path)
    whole = path.read_bytes()
    for share in (0, 0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DataError) as caught:
            decompress(read_tensor_file(path, 'export'), 'export')
        assert '\n' not in str(caught.value)
        assert str(path) in str(caught.value)


def test_changed_files(state, tmp_path):
    """Whatever byte is changed: refused, or (in padding) equal all the same."""
    path = tmp_path / 'small.pth'
    write_tensor_file(compress(state, META), path)
    whole = path.read_bytes()
    draw = random.Random(0)
    refused = 0
    for _ in range(60):
        position = draw.randrange(len(whole))
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x41]) + whole[position + 1 :])
        try:
            back, meta = decompress(read_tensor_file(path, 'export'), 'export')
        except DataError as error:
            refused += 1
            assert '\n' not in str(error)
        else:
            assert all(torch.equal(bits(back[name]), bits(tensor)) for name, tensor in state.items())
            assert meta == META
    assert refused > 30


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c['sparse']['conv']['values'].mul_(-1), 'changed since it was written: sha256'),
        (lambda c: c['dense']['dense'].add_(1e-3), 'changed since it was written: sha256'),
        (lambda c: c['sparse']['conv']['bits'].bitwise_not_(), 'conv: the file was changed .* values found'),
        (lambda c: c['sparse'].pop('conv'), "the file was changed since it was written: 'conv'"),
        (lambda c: c['meta'].update(epoch=4), 'changed since it was written: sha256'),
        (lambda c: c['order'].reverse(), 'changed since it was written: sha256'),
        (lambda c: c.update(format='zip'), "format 'zip' found, 'mmssl compressed weights 1' expected"),
    ],
)
def test_changed_parts(state, change, message):
    content = compress(state, dict(META))
    change(content)
    with pytest.raises(DataError, match=f'a.pth: .*{message}'):
        decompress(content, 'a.pth')
