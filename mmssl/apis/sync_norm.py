"""Synchronised batch normalisation in a config, replaced by the plain one where no accelerator is there."""

from mmengine.config import ConfigDict

SYNC_NAMES = ('SyncBN', 'MMSyncBN', 'SyncBatchNorm')


def sync_norm_to_norm(config: dict) -> tuple[ConfigDict, int]:
    """Replaces every synchronised batch normalisation by ``BN``, which has a CPU kernel.

    The layer type is changed, not the built layer: mmengine's ``revert_sync_batchnorm`` leaves a class of its own
    that other code (folding, memory formats) does not know as ``nn.BatchNorm2d``.

    Args:
        config: any part of a config; dicts, lists and tuples are searched at every depth. A type may be a name,
            with or without a scope (``mmseg.SyncBN``), or a class.

    Returns:
        The copy with the replacement, and how many types were replaced.
    """
    count = 0

    def visit(value, key=None):
        nonlocal count
        if isinstance(value, dict):
            return type(value)({name: visit(item, name) for name, item in value.items()})
        if isinstance(value, (list, tuple)):
            return type(value)(visit(item) for item in value)
        if key == 'type' and _is_sync(value):
            count += 1
            return 'BN'
        return value

    return visit(ConfigDict(config)), count


def _is_sync(layer_type) -> bool:
    name = layer_type if isinstance(layer_type, str) else getattr(layer_type, '__name__', '')
    return name.split('.')[-1] in SYNC_NAMES
