"""Make of a checkpoint the file that others load: weights and class names, no more, its hash in the name."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mmssl.atomic_file import atomic_file
from mmssl.errors import DataError
from mmssl.safetensors_file import SUFFIX, safetensors_bytes
from mmssl.tensor_file import named_tensors, read_tensor_file
from mmssl.transfer.semi_supervised_checkpoints import PREFIXES, STEPS, network_weights

SUFFIXES = {'pth': '.pth', 'safetensors': SUFFIX}
WHOLE, BACKBONE = 'whole', 'backbone'
NETWORKS = (*PREFIXES, BACKBONE, WHOLE)


def publish(source: str | Path, target: str | Path, formats: tuple[str, ...], network: str | None = None) -> list[Path]:
    """Write what of a checkpoint is published.

    Args:
        source: checkpoint of mmengine, mmcv 1.x or mmssl, or a plain state dict.
        target: folder and stem of the files; a suffix ``.pth`` or ``.safetensors`` is taken off.
        formats: of ``'pth'`` and ``'safetensors'``.
        network: as :func:`published_content` takes it.

    Returns:
        A path a format, ``<stem>-<first 8 digits of the SHA-256 of the file><suffix>``. The same weights give the same
        file.

    Raises:
        DataNotFoundError: no such checkpoint.
        DataError: it cannot be read, has no weights, or several networks and none is named.
    """
    content = published_content(read_tensor_file(source, 'checkpoint'), str(source), network)
    stem = Path(target).with_suffix('') if Path(target).suffix in SUFFIXES.values() else Path(target)
    written = []
    for kind in formats:
        data = safetensors_bytes(content) if kind == 'safetensors' else _archive_bytes(content)
        path = stem.with_name(f'{stem.name}-{hashlib.sha256(data).hexdigest()[:8]}{SUFFIXES[kind]}')
        with atomic_file(path, durable=True) as partial:
            partial.write_bytes(data)
        written.append(path)
    return written


def published_content(checkpoint: dict, source: str, network: str | None = None) -> dict:
    """Weights of one network, and the names and colours of the classes.

    What goes: optimiser, schedules, message hub, the config and the paths in it, states of hooks. Of a checkpoint of
    mmengine's ``EMAHook`` the averaged weights stay, which stand in its ``state_dict``.

    Args:
        checkpoint: as it was read.
        source: the file, for messages.
        network: ``'student'``, ``'teacher'`` or ``'segmentor'`` of several, under the names of the plain segmentor;
            ``'backbone'``, under ``backbone.``; ``'whole'``: everything. None: everything, where it is one network.

    Returns:
        ``state_dict``: tensors that share no memory. ``meta``: empty, or ``dataset_meta`` with lists ``classes`` and
        ``palette``, where mmseg, mmdet and mmpretrain look for them.

    Raises:
        ValueError: an unknown network.
        DataError: no tensors; several networks and none named; the one that is named is not there.
    """
    if network not in (None, *NETWORKS):
        raise ValueError(f'network {network!r}, expected one of {NETWORKS}')
    state = named_tensors(checkpoint, source)
    several = networks_in(state)
    if network is None and several:
        raise DataError(f'{source}: {" and ".join(several)} in it, expected --network with one of them, or whole')
    if network in PREFIXES:
        state = network_weights(state, network, source)
    elif network == BACKBONE:
        state = {name: tensor for name, tensor in state.items() if name.startswith(f'{BACKBONE}.')}
        if not state:
            raise DataError(f'{source}: no name starts with backbone., expected a model with a backbone')
    meta = checkpoint.get('meta') if 'state_dict' in checkpoint else None
    return {
        'state_dict': {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()},
        'meta': _class_meta(meta if isinstance(meta, Mapping) else {}),
    }


def networks_in(state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The networks that a training held beside each other; empty where it was one."""
    outer = PREFIXES['segmentor']
    if STEPS in state or outer + STEPS in state:
        return ('student', 'teacher')
    return ('segmentor',) if any(name.startswith(outer) for name in state) else ()


def _class_meta(meta: Mapping) -> dict:
    found = meta.get('dataset_meta')
    if not isinstance(found, Mapping):  # mmcv 1.x
        found = {'classes': meta.get('CLASSES'), 'palette': meta.get('PALETTE')}
    classes, palette = found.get('classes'), found.get('palette')
    kept = {}
    if isinstance(classes, (list, tuple)) and all(isinstance(name, str) for name in classes):
        kept['classes'] = list(classes)
    if isinstance(palette, (list, tuple)) and all(isinstance(colour, (list, tuple)) for colour in palette):
        kept['palette'] = [[int(part) for part in colour] for colour in palette]
    return {'dataset_meta': kept} if kept else {}


def _archive_bytes(content: dict) -> bytes:
    buffer = io.BytesIO()
    # Into memory, as a file's name would stand inside the archive and change its hash.
    torch.save(content, buffer)
    return buffer.getvalue()
