"""What tools/transfer_weights.py is made of: rules from a command line or a config, and a model to apply them to."""

import warnings
from collections.abc import Sequence

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import set_random_seed
from torch import nn

from mmssl.apis.config import ConfigError
from mmssl.apis.sync_norm import sync_norm_to_norm

HOOK_NAMES = ('mmssl.WeightTransferHook', 'WeightTransferHook')
PATTERN_FIELDS = ('modules', 'source_modules', 'other_modules', 'exclude')


def rule_from_options(options: Sequence[str]) -> dict:
    """Read a rule as a command line gives it.

    Args:
        options: ``FIELD=VALUE`` texts; patterns are separated by commas, and ``exclude=`` is an empty list.

    Returns:
        The rule as a config would hold it; its fields are checked by :func:`mmssl.transfer.rules.parse_rules`.

    Raises:
        ValueError: on a text without ``=``, a field given twice, or a value that is no number or no truth value.
    """
    rule = {}
    for option in options:
        field, separator, text = option.partition('=')
        if not separator or not field:
            raise ValueError(f'--rule: {option!r} found, FIELD=VALUE expected as in modules=backbone')
        if field in rule:
            raise ValueError(f'--rule: {field} is given twice, {rule[field]!r} and {text!r}')
        rule[field] = _value(field, text)
    return rule


def _value(field: str, text: str) -> str | float | bool | tuple[str, ...]:
    if field == 'keep_filters':
        try:
            return float(text)
        except ValueError:
            raise ValueError(f'--rule: keep_filters={text!r}, expected a share in (0, 1]') from None
    if field == 'allow_mismatch':
        if text.lower() not in ('true', 'false'):
            raise ValueError(f'--rule: allow_mismatch={text!r}, expected true or false')
        return text.lower() == 'true'
    if field in PATTERN_FIELDS:
        return tuple(pattern for pattern in text.split(',') if pattern)
    return text


def transfer_hook_settings(cfg: Config, path: str) -> dict:
    """Find the ``WeightTransferHook`` of a config.

    Args:
        cfg: the whole config.
        path: its name, for the message.

    Returns:
        The hook's dict, with ``rules`` and perhaps ``seed``.

    Raises:
        ConfigError: when there is none, or more than one.
    """
    hooks = [
        hook for hook in cfg.get('custom_hooks') or [] if isinstance(hook, dict) and hook.get('type') in HOOK_NAMES
    ]
    if len(hooks) != 1:
        raise ConfigError(f'{path}: {len(hooks)} mmssl.WeightTransferHook in custom_hooks found, 1 expected')
    return hooks[0]


def build_initialised_model(cfg: Config, path: str, seed: int) -> nn.Module:
    """Build the model of a config and initialise it as a Runner does, ``init_cfg`` included.

    Args:
        cfg: the whole config.
        path: its name, for the message.
        seed: of everything that is drawn.

    Returns:
        The model, on the CPU; SyncBN is BN.

    Raises:
        ConfigError: when the config has no model.
    """
    if not isinstance(cfg.get('model'), dict):
        raise ConfigError(f'{path}: no key "model", a config with a model expected')
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    settings = sync_norm_to_norm(cfg.model)[0]
    if cfg.get('data_preprocessor') is not None:
        settings.setdefault('data_preprocessor', cfg.data_preprocessor)
    set_random_seed(seed)
    with warnings.catch_warnings():
        # The hosts announce their own deprecations once for every loss.
        warnings.simplefilter('ignore', UserWarning)
        model = MODELS.build(settings)
    if hasattr(model, 'init_weights'):
        logger = MMLogger.get_current_instance()
        level = logger.level
        logger.setLevel('WARNING')  # mmengine tells four lines a parameter
        try:
            model.init_weights()
        finally:
            logger.setLevel(level)
    return model
