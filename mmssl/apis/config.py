"""Read a configuration for the tools: from a file or a host package, with checked options."""

import difflib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.hub import get_config

from mmssl.errors import one_line

# What mmengine's Runner.from_cfg and the hosts' tools read.
# fmt: off
TOP_LEVEL_KEYS = frozenset((
    'model', 'work_dir', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'val_cfg', 'test_cfg',
    'auto_scale_lr', 'optim_wrapper', 'param_scheduler', 'val_evaluator', 'test_evaluator', 'default_hooks',
    'custom_hooks', 'data_preprocessor', 'load_from', 'resume', 'launcher', 'env_cfg', 'log_processor', 'log_level',
    'visualizer', 'vis_backends', 'default_scope', 'randomness', 'experiment_name', 'runner_type', 'custom_imports',
    'compile', 'activation_checkpointing', 'efficient_conv_bn_eval', 'tta_model',
    'start_audit',  # of mmssl: see mmssl/apis/start_audit.py
))
SETTINGS = (
    'model', 'data_preprocessor', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'val_cfg',
    'test_cfg', 'optim_wrapper', 'auto_scale_lr', 'default_hooks', 'env_cfg', 'log_processor', 'visualizer',
    'randomness', 'custom_imports', 'start_audit',
)
LISTS = ('val_evaluator', 'test_evaluator', 'param_scheduler', 'custom_hooks', 'vis_backends')
# fmt: on
TEXTS = ('default_scope', 'work_dir', 'load_from', 'launcher', 'experiment_name', 'runner_type')


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


def check_key_types(cfg: Config, source: str) -> None:
    """Find keys of another type than what mmengine reads; it fails on them later, without their name.

    Args:
        cfg: a configuration.
        source: where it stands, for the message.

    Raises:
        ConfigError: naming the key, its value and what was expected.
    """
    expected = dict.fromkeys(SETTINGS, ((dict,), 'a dict'))
    expected |= dict.fromkeys(LISTS, ((dict, list, tuple), 'a dict or a list of dicts'))
    expected |= dict.fromkeys(TEXTS, ((str,), 'a text'))
    for key, (types, told) in expected.items():
        value = cfg.get(key)
        parts = value if key in LISTS and isinstance(value, (list, tuple)) else []
        if value is not None and (not isinstance(value, types) or not all(isinstance(part, dict) for part in parts)):
            raise ConfigError(f'{source}: {key} is {_short(value)}; expected {told}')
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(key)
        if loader and not isinstance(loader.get('dataset'), dict):
            raise ConfigError(f'{source}: {key}.dataset is {_short(loader.get("dataset"))}; expected a dict')


def _short(value) -> str:
    text = ' '.join(repr(value).split())
    return text if len(text) <= 60 else f'{text[:57]}...'


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
        ConfigError: on a syntax error, a line that fails, an unknown key in the file or in the options, and a key of
            another type than mmengine reads.
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
    except Exception as error:  # a config is code, and whatever it raises is told with its name
        raise ConfigError(f'{path}: {type(error).__name__}: {one_line(error)}') from None
    check_top_level_keys(cfg.keys(), path)
    if options:
        check_options(cfg, options)
        try:
            cfg.merge_from_dict(options)
        except (TypeError, KeyError, IndexError, AssertionError, ValueError) as error:
            raise ConfigError(f'{path}: --cfg-options {" ".join(options)}: {one_line(error)}') from None
    check_key_types(cfg, path)
    return cfg


def default_work_dir(path: str) -> str:
    """``work_dirs/<name of the config>``, where runs of a config are kept unless told otherwise."""
    return str(Path('work_dirs') / Path(path.split('::')[-1]).stem)
