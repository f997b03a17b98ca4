"""Weights in the format of safetensors, which can hold no code: tensors and a text."""

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save

from mmssl.errors import DataError

SUFFIX = '.safetensors'
META = 'mmssl.meta'
"""Key of the header under which ``meta`` stands as JSON; other headers are left alone."""


def read_safetensors(path: str | Path) -> dict:
    """Read a file of safetensors.

    Returns:
        ``state_dict``: name to tensor on the CPU; ``meta``: plain values, empty for files that others wrote.

    Raises:
        Exception: whatever safetensors raises on a damaged file.
    """
    with safe_open(path, framework='pt', device='cpu') as file:
        header = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
    meta = json.loads(header[META]) if META in header else {}
    return {'state_dict': state, 'meta': meta}


def safetensors_bytes(content: dict) -> bytes:
    """A file of safetensors in memory; the same content gives the same bytes.

    Args:
        content: ``state_dict`` and, if wanted, ``meta``, whose tuples become lists.

    Raises:
        DataError: it holds something else, which the format cannot.
    """
    others = [str(key) for key in content if key not in ('state_dict', 'meta')]
    if others or 'state_dict' not in content:
        raise DataError(f'safetensors: {", ".join(others) or "no state_dict"} found, state_dict and meta expected')
    # Copies, as safetensors refuses names that share memory.
    state = {name: value.detach().cpu().clone().contiguous() for name, value in content['state_dict'].items()}
    try:
        meta = json.dumps(content.get('meta') or {}, allow_nan=False)
        # One entry alone: safetensors writes several in an order that changes from run to run.
        return save(state, {META: meta})
    except (TypeError, ValueError, KeyError) as error:  # KeyError: a type of number that the format lacks
        raise DataError(f'safetensors: cannot hold this: {error}') from None
