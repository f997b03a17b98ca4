"""A checkpoint whose bytes changed is named, or gives the same bits; it is never another network in silence."""

import random

import pytest
import torch

from mmssl.apis.resuming import find_resume_checkpoint
from mmssl.checkpoint_pointer import write_pointer
from mmssl.errors import DataError
from mmssl.tensor_file import read_tensor_file


def content(iteration: int) -> dict:
    generator = torch.Generator().manual_seed(iteration)
    return {
        'meta': {'iter': iteration, 'epoch': 0},
        'state_dict': {
            f'layer{number}.weight': torch.randn(50, number + 1, generator=generator) for number in range(9)
        },
        'optimizer': {'state': {0: {'momentum_buffer': torch.randn(500, generator=generator)}}},
    }


def truncated(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(1, len(data))]


def emptied(data: bytes, draw: random.Random) -> bytes:
    return b''


def flipped(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def zeroed(data: bytes, draw: random.Random) -> bytes:
    """A block of zeros, as file systems leave after a loss of power."""
    at = draw.randrange(len(data))
    return data[:at] + bytes(min(4096, len(data) - at)) + data[at + 4096 :]


KINDS = {'truncated': truncated, 'zero-length': emptied, 'bit-flipped': flipped, 'zeroed block': zeroed}


@pytest.mark.faults
@pytest.mark.parametrize('kind', KINDS)
def test_damage_is_named_or_harmless(tmp_path, kind, fault_number, count_faults):
    damages = 1 if kind == 'zero-length' else fault_number(10, 60)
    draw, survived, lost = random.Random(kind), 0, 0
    for name in ('iter_1.pth', 'iter_2.pth'):
        torch.save(content(int(name[5])), tmp_path / name)
    whole = (tmp_path / 'iter_2.pth').read_bytes()
    write_pointer(tmp_path, tmp_path / 'iter_2.pth')
    for _ in range(damages):
        (tmp_path / 'iter_2.pth').write_bytes(KINDS[kind](whole, draw))
        try:
            path = find_resume_checkpoint('latest', str(tmp_path))
        except DataError as error:
            told = str(error)
            survived += (
                'iter_2.pth: damaged, ' in told and f'--resume {tmp_path}/iter_1.pth' in told and '\n' not in told
            )
        else:
            same = path.endswith('iter_2.pth') and _equal(read_tensor_file(path, 'checkpoint'), content(2))
            survived += same
            lost += not same
    assert _equal(read_tensor_file(tmp_path / 'iter_1.pth', 'checkpoint'), content(1))
    count_faults(f'{kind} checkpoints', damages, survived, lost)


def _equal(one: dict, other: dict) -> bool:
    weights, momenta = (
        [part['state_dict'] for part in (one, other)],
        [part['optimizer']['state'][0]['momentum_buffer'] for part in (one, other)],
    )
    same = all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    return same and one['meta'] == other['meta'] and torch.equal(*momenta)
