"""Read a configuration for the tools: from a file or a host package, with checked options."""

import difflib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.hub import get_config

# What mmengine's Runner.from_cfg and the hosts' tools read.
# fmt: off
TOP_LEVEL_KEYS = frozenset((
    'model', 'work_dir', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'val_cfg', 'test_cfg',
    'auto_scale_lr', 'optim_wrapper', 'param_scheduler', 'val_evaluator', 'test_evaluator', 'default_hooks',
    'custom_hooks', 'data_preprocessor', 'load_from', 'resume', 'launcher', 'env_cfg', 'log_processor', 'log_level',
    'visualizer', 'vis_backends', 'default_scope', 'randomness', 'experiment_name', 'runner_type', 'custom_imports',
    'compile', 'activation_checkpointing', 'efficient_conv_bn_eval', 'tta_model',
))
# fmt: on


class ConfigError(ValueError):
    """A fault in a configuration, told in one line."""


def check_top_level_keys(keys: Iterable[str], source: str) -> None:
    """Find misspelt top-level keys: mmengine ignores a key it does not know.

    A config may define variables of its own; a name counts as a misspelling when it is nearly that of a known key.

    Args:
        keys: top-level keys of a configuration.
        source: where they stand, for the message.

    Raises:
        ConfigError: naming the key, the source and the known key it resembles.
    """
    for key in keys:
        near = difflib.get_close_matches(key, TOP_LEVEL_KEYS - {key}, n=1, cutoff=0.88)
        if near and key not in TOP_LEVEL_KEYS:
            raise ConfigError(f'{source}: unknown config key {key!r}, did you mean {near[0]!r}?')


def check_options(cfg: Config, options: dict) -> None:
    """Check that each overridden key exists, at least as an argument of something that is built.

    Args:
        cfg: the configuration before the options are merged.
        options: dotted keys and values, as ``--cfg-options`` gives them.

    Raises:
        ConfigError: on a first part that is neither in the config nor known to mmengine, and on a parent that is
            missing (which a merge would create silently).
    """
    for key in options:
        head, *rest = key.split('.')
        if head not in cfg and head not in TOP_LEVEL_KEYS:
            near = difflib.get_close_matches(head, {*cfg.keys(), *TOP_LEVEL_KEYS}, n=1, cutoff=0.6)
            hint = f', did you mean {near[0]!r}?' if near else ''
            raise ConfigError(f'--cfg-options {key}: unknown config key {head!r}{hint}')
        node = cfg.get(head)
        for depth, part in enumerate(rest[:-1]):
            if isinstance(node, (list, tuple)) and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
            elif isinstance(node, dict) and part in node:
                node = node[part]
            else:
                parent = '.'.join([head, *rest[:depth]])
                raise ConfigError(f'--cfg-options {key}: {parent!r} has no key {part!r}')


def load_config(path: str, options: dict | None = None) -> Config:
    """Read a configuration and merge options into it.

    Args:
        path: a file, or ``package::file`` for a host's own (``mmseg::erfnet/...``).
        options: dotted keys and values that override the configuration.

    Returns:
        The configuration; ``filename`` is set.

    Raises:
        FileNotFoundError: when the file does not exist.
        ConfigError: on a syntax error, and on an unknown key in the file or in the options.
    """
    package, _, name = path.rpartition('::')
    if package == 'mmssl':
        # mmengine looks in site-packages, where an editable installation has no files.
        file = Path(__file__).resolve().parents[1] / '.mim' / 'configs' / name
    elif package and (package not in MODULE2PACKAGE or importlib.util.find_spec(package) is None):
        # mmengine would install a package that it knows and does not find.
        raise ConfigError(f'{path}: no installed package {package!r} with configs')
    else:
        file = None if package else Path(path)
    if file is not None and not file.is_file():
        raise FileNotFoundError(f'config not found: {path}')
    try:
        cfg = Config.fromfile(file) if file else get_config(path)
    except SyntaxError as error:
        raise ConfigError(f'{path}: line {error.lineno}: {error.msg}') from None
    check_top_level_keys(cfg.keys(), path)
    if options:
        check_options(cfg, options)
        cfg.merge_from_dict(options)
    return cfg


def default_work_dir(path: str) -> str:
    """``work_dirs/<name of the config>``, where runs of a config are kept unless told otherwise."""
    return str(Path('work_dirs') / Path(path.split('::')[-1]).stem)
