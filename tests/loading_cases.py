"""Loads that fail, as each of several processes makes them."""

import tempfile

import torch
from mmengine.dist import barrier, get_rank
from mmengine.model import PretrainedInit
from mmengine.runner import load_checkpoint
from torch import nn

import mmssl.registry  # noqa: F401, it puts our loaders in place
from mmssl.errors import DataError


def load_on_a_rank(path: str, address: str) -> None:
    """Try a file and an address at several doors, and print what each says; between them the ranks meet."""
    torch.hub.set_dir(tempfile.mkdtemp())
    torch.distributed.init_process_group('gloo')
    doors = {
        'file': lambda: load_checkpoint(nn.Linear(2, 2), path),
        'init_cfg': lambda: PretrainedInit(path)(nn.Linear(2, 2)),
        'prefix': lambda: PretrainedInit(path, 'backbone.')(nn.Linear(2, 2)),
        'address': lambda: load_checkpoint(nn.Linear(2, 2), address),
    }
    for name, door in doors.items():
        try:
            door()
        except DataError as error:
            print(f'rank {get_rank()}: {name}: {error}')
        barrier()
