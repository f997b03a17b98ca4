"""Files of masks and rewind weights."""

import pytest
import torch
from torch import nn

from mmssl.errors import DataError
from mmssl.pruning.packed_mask import pack_mask, unpack_mask
from mmssl.pruning.ticket import RewindPoint, Ticket
from mmssl.tensor_file import read_state_dict, read_tensor_file, write_tensor_file


def test_bits_by_hand():
    packed = pack_mask(torch.tensor([[True, False, False, True, True], [False, False, True, True, False]]))
    assert packed['bits'].tolist() == [0b10011001, 0b10000000]
    assert packed['shape'] == [2, 5]
    for size in (0, 1, 7, 8, 9, 1000):
        mask = torch.rand(size) < 0.5
        assert unpack_mask(pack_mask(mask), 'x').equal(mask)


@pytest.mark.parametrize(
    ('packed', 'message'),
    [
        ({'bits': torch.zeros(2, dtype=torch.uint8), 'shape': [17]}, '2 bytes of mask found, 3 expected for shape'),
        ({'bits': torch.zeros(2), 'shape': [16]}, 'not a packed mask'),
        ({'bits': torch.zeros(2, dtype=torch.uint8)}, 'not a packed mask'),
        ({'bits': torch.zeros(2, dtype=torch.uint8), 'shape': [-16]}, 'not a packed mask'),
        (None, 'not a packed mask'),
    ],
)
def test_damaged_bits(packed, message):
    with pytest.raises(DataError, match=f'a.pth: {message}'):
        unpack_mask(packed, 'a.pth')


@pytest.fixture
def net():
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))


def test_ticket_file(net, tmp_path):
    masks = {'0.weight': torch.rand(3, 2, 3, 3) < 0.3}
    ticket = Ticket(masks, RewindPoint.of(net, 7), {'sparsity': 0.7})
    expected = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with torch.no_grad():
        net[0].weight.zero_()  # the point is a copy
    ticket.save(tmp_path / 'new/ticket.pth')
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['ticket.pth']
    loaded = Ticket.load(tmp_path / 'new/ticket.pth')
    assert loaded.masks['0.weight'].equal(masks['0.weight'])
    assert loaded.settings == {'sparsity': 0.7}
    assert loaded.rewind.iteration == 7
    assert all(torch.equal(loaded.rewind.state_dict[name], tensor) for name, tensor in expected.items())
    loaded.rewind.check(net, 'ticket')
    dense = Ticket.from_plain(Ticket({}).to_plain(), 'x')
    assert (dense.masks, dense.rewind, dense.settings) == ({}, None, {})


def test_rewind_weights_of_another_model(net):
    point = RewindPoint.of(net, 0)
    with pytest.raises(DataError, match=r'a.pth: rewind weight 0.weight has another shape, \(3, 2, 3, 3\) found'):
        point.check(nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)), 'a.pth')
    with pytest.raises(DataError, match='do not fit, 5 names differ; first: 1.weight is not in Sequential'):
        point.check(nn.Sequential(nn.Conv2d(2, 3, 3)), 'a.pth')
    with pytest.raises(DataError, match='2 names differ; first: 2.weight is missing'):
        point.check(nn.Sequential(*net, nn.Linear(2, 2)), 'a.pth')


def test_files_that_are_no_tickets(net, tmp_path):
    path = tmp_path / 'ticket.pth'
    with pytest.raises(FileNotFoundError, match='ticket .*ticket.pth: no such file'):
        Ticket.load(path)
    write_tensor_file({'state_dict': net.state_dict()}, path)
    with pytest.raises(DataError, match="ticket.pth: format None found, 'mmssl lottery ticket 1' expected"):
        Ticket.load(path)
    plain = Ticket({}, RewindPoint.of(net, 0)).to_plain()
    del plain['rewind']['iteration']
    write_tensor_file(plain, path)
    with pytest.raises(DataError, match="a part of the ticket is missing or another: 'iteration'"):
        Ticket.load(path)
    Ticket({}, RewindPoint.of(net, 0)).save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match='ticket.pth: damaged or no such file') as caught:
        Ticket.load(path)
    assert '\n' not in str(caught.value)
    torch.save([1], path)
    with pytest.raises(DataError, match='list found, a dict expected'):
        read_tensor_file(path, 'ticket')


def test_state_dicts(net, tmp_path):
    path = tmp_path / 'w.pth'
    state = net.state_dict()
    for content in (state, {'state_dict': {f'module.{name}': tensor for name, tensor in state.items()}, 'meta': {}}):
        write_tensor_file(content, path)
        assert list(read_state_dict(path, 'weights')) == list(state)
    write_tensor_file({'meta': {'a': 1}}, path)
    with pytest.raises(DataError, match='weights .*w.pth: no tensor in it'):
        read_state_dict(path, 'weights')


def test_an_interrupted_write_keeps_the_older_file(tmp_path):
    path = tmp_path / 'a.pth'
    write_tensor_file({'a': 1}, path)
    with pytest.raises(AttributeError):
        write_tensor_file({'a': lambda: 1}, path)  # cannot be pickled
    assert read_tensor_file(path, 'file') == {'a': 1}
    assert list(tmp_path.iterdir()) == [path]
