"""How mmengine and the hosts read checkpoints once mmssl is imported: checked, and without running anything of them.

``Runner``, ``init_cfg``, the hosts' ``init_model``, ``init_detector``, ``get_model`` and inferencers all ask mmengine's
``CheckpointLoader``, which knows a loader for each kind of name. Those here take the place of mmengine's for all of
its kinds. Theirs (0.10.7) leave ``weights_only`` to torch's default, which an environment variable turns off, look at
no hash, and hand over whatever was stored.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from mmengine.dist import all_gather_object
from mmengine.logging import print_log

from mmssl.download import download_path, fetch, is_address
from mmssl.errors import DataError, one_line
from mmssl.tensor_file import read_tensor_file

_last_source = ['a state dict']


def last_source() -> str:
    """The file that was read last, for messages about the weights that are being loaded."""
    return _last_source[0]


def load_from_local(filename: str, map_location=None) -> dict:
    """Read a file as mmengine's loader of that name does.

    Args:
        filename: of ``torch.save`` or of safetensors, by its suffix.
        map_location: as ``torch.load`` takes it.

    Returns:
        The checkpoint, after :func:`drop_code`.

    Raises:
        DataNotFoundError: no such file.
        DataError: as :func:`mmssl.tensor_file.read_tensor_file`; or the checkpoint is not built as one.
    """
    path = Path(filename).expanduser()
    checkpoint = read_tensor_file(path, 'checkpoint', map_location)
    _check_structure(checkpoint, path)
    _last_source[0] = f'checkpoint {path}'
    return drop_code(checkpoint, path)


def load_from_http(filename: str, map_location=None) -> dict:
    """Fetch a file, one process a node, and read it; collective, as mmengine's.

    Raises:
        DataError: on every rank, where one could not fetch it.
    """

    def step() -> None:
        if int(os.environ.get('LOCAL_RANK', 0)) == 0:  # the other processes of the node wait
            fetch(filename)

    _on_all_ranks(step)
    return load_from_local(str(download_path(filename)), map_location)


def load_from_zoo(filename: str, map_location=None) -> dict:
    """Read what mmengine's lists of models mean by ``torchvision://``, ``open-mmlab://`` and ``mmcls://`` names.

    Raises:
        DataError: no such model in the list; otherwise as the other loaders.
    """
    from mmengine.runner import checkpoint as lists

    scheme, _, name = filename.partition('://')
    if scheme == 'mmcls':
        models = lists.get_mmcls_models()
    elif scheme in ('torchvision', 'modelzoo'):
        models = lists.get_torchvision_models()
    else:
        models = lists.get_external_models()
        name = lists.get_deprecated_model_names().get(name, name)
    if name not in models:
        raise DataError(f'{filename}: no such model, expected one of the {len(models)} that mmengine lists')
    source = models[name]
    if is_address(source):
        checkpoint = load_from_http(source, map_location)
    else:  # of the user's own list in the folder of mmengine
        checkpoint = load_from_local(os.path.join(lists._get_mmengine_home(), source), map_location)
    return lists._process_mmcls_checkpoint(checkpoint) if scheme == 'mmcls' else checkpoint


def load_from_remote(filename: str, map_location=None) -> dict:
    """Refuse storage that only mmengine's own unchecked loaders read.

    Raises:
        DataError: always.
    """
    raise DataError(f'{filename}: a file or an http(s) address expected; copy it to a disk first')


# Patterns of names, as mmengine matches them; the empty one takes what no other does.
LOADERS = {
    '': load_from_local,
    'http://': load_from_http,
    'https://': load_from_http,
    'torchvision://': load_from_zoo,
    'modelzoo://': load_from_zoo,
    'open-mmlab://': load_from_zoo,
    'openmmlab://': load_from_zoo,
    'mmcls://': load_from_zoo,
    'pavi://': load_from_remote,
    r'(\S+\:)?s3://': load_from_remote,
    r'(\S+\:)?petrel://': load_from_remote,
}


def drop_code(checkpoint: dict, path: str | Path) -> dict:
    """Take out the config under ``meta``, which ``Runner.resume`` of mmengine would run as a Python program.

    mmcv 1.x wrote it there; mmengine writes it under other names, which it does not run when a training is resumed,
    and reads from the old one nothing but the number of GPUs. The weights of such a file are wanted, so that this is a
    warning and no error.

    Args:
        checkpoint: changed in place.
        path: for the warning.

    Returns:
        The same checkpoint.
    """
    meta = checkpoint.get('meta')
    if isinstance(meta, dict) and 'config' in meta:
        del meta['config']
        told = f'checkpoint {path}: the config in its meta is code; it is left out and not run'
        print_log(told, 'current', logging.WARNING)
    return checkpoint


def _check_structure(checkpoint: dict, path: Path) -> None:
    """Raise unless weights and meta are what mmengine and the hosts take them for."""
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, dict):
        raise DataError(f'checkpoint {path}: state_dict is a {type(state).__name__}, a dict expected')
    odd = next((name for name in state if not isinstance(name, str)), None)
    if odd is not None:
        raise DataError(f'checkpoint {path}: {odd!r} among the names of its tensors, texts expected')
    if 'state_dict' in checkpoint:
        # mmseg's init_model asks for it in any case; what converters write may have none.
        meta = checkpoint['meta'] = checkpoint.get('meta') or {}
        if not isinstance(meta, dict):
            raise DataError(f'checkpoint {path}: meta is a {type(meta).__name__}, a dict expected')


def _on_all_ranks(step: Callable[[], None]) -> None:
    """Run a step on every rank; where one fails, all raise the error of the first that did."""
    found = None
    try:
        step()
    except Exception as error:  # one that raises alone leaves the others waiting
        found = one_line(error)
    failed = [(rank, text) for rank, text in enumerate(all_gather_object(found)) if text is not None]
    if failed:
        rank, text = failed[0]
        raise DataError(text if rank == 0 else f'rank {rank}: {text}')
