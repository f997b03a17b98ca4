"""Look for the folders that a config reads, before anything long starts."""

import os
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config

from mmssl.errors import DataError, DataNotFoundError

FOLDER_KEYS = ('img_path', 'seg_map_path', 'img')


def dataset_configs(cfg: dict) -> Iterator[dict]:
    """The configs of datasets inside wrappers (``dataset``, ``datasets``, sides of a pair, segmentation and tasks)."""
    names = ('dataset', 'labeled', 'unlabeled', 'segmentation')
    inner = [cfg[key] for key in names if isinstance(cfg.get(key), dict)]
    inner += [*(cfg.get('datasets') or []), *(cfg.get('tasks') or {}).values()]
    if not inner:
        yield cfg
    for part in inner:
        yield from dataset_configs(part)


def check_data_folders(cfg: Config, splits: tuple[str, ...]) -> None:
    """Raise unless every folder that the datasets of ``cfg`` name is there and holds a file.

    The datasets of mmssl check themselves; those of the hosts fail in numpy on an empty folder ("need at least one
    array to concatenate", mmengine 0.10.7). Datasets with a file backend of their own are left out.

    Args:
        cfg: a whole configuration.
        splits: which of ``train``, ``val``, ``test`` to look at; one without a dataloader is left out.

    Raises:
        DataNotFoundError: naming the folder and the key that asks for it.
        DataError: when the folder holds no file at any depth.
    """
    for split in splits:
        loader = cfg.get(f'{split}_dataloader')
        if not loader:
            continue
        for dataset in dataset_configs(loader['dataset']):
            prefix = dataset.get('data_prefix') or {}
            if dataset.get('backend_args') or not isinstance(prefix, dict):
                continue
            root = dataset.get('data_root')
            folders = {root: 'data_root'} if root else {}
            for key in FOLDER_KEYS:
                named = prefix.get(key) or []
                for folder in [named] if isinstance(named, str) else named:
                    folders[os.path.join(root or '', folder)] = f'data_prefix.{key}'
            for folder, key in folders.items():
                where = f'{split}_dataloader.dataset.{key}'
                if not os.path.isdir(folder):
                    raise DataNotFoundError(f'{folder}: the folder does not exist ({where})')
                # The root may be empty by itself: prefixes can be absolute.
                if key != 'data_root' and not any(path.is_file() for path in Path(folder).rglob('*')):
                    raise DataError(f'{folder}: the folder holds no file ({where})')
