"""Count what of a checkpoint reaches a model, and refuse a load that leaves much of it random.

mmengine (0.10.7) copies what fits, logs a warning for the rest on rank 0, also where nothing fits, and goes on.
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from weakref import WeakKeyDictionary

from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import CheckpointLoader
from torch import nn

from mmssl.checkpoint_loading import last_source
from mmssl.errors import DataError, printable

LEAST = 0.5
"""Share of the tensors of a model that have to come from a checkpoint."""
ADVICE = 'rules of mmssl.WeightTransferHook take parts of a checkpoint, mmssl.PartialLoadHook allows a partial load'
COUNTER = 'num_batches_tracked'  # of batch normalisation; checkpoints before torch 0.4.1 have none, it does no harm


class LoadError(DataError, RuntimeError):
    """A checkpoint does not fit; also a ``RuntimeError``, which torch and mmengine raise where ``strict`` is set."""


@dataclass(frozen=True)
class Allowance:
    """How much of a model a checkpoint may leave as it is.

    Attributes:
        least: share of the model's tensors that have to come from the checkpoint, 0 to 1.
        other_shapes: patterns (``decode_head.*``) of tensors that may have another shape in the checkpoint.
    """

    least: float = LEAST
    other_shapes: tuple[str, ...] = ()


_allowances: WeakKeyDictionary[nn.Module, Allowance] = WeakKeyDictionary()


def allow_partial(model: nn.Module, least: float, other_shapes: Sequence[str] = ()) -> None:
    """Let a model, and every module in it, be filled in part.

    Args:
        model: what is loaded, or what it is part of.
        least: as in :class:`Allowance`; with 0 a single tensor does.
        other_shapes: likewise; names as the module that is loaded has them.

    Raises:
        ValueError: a share outside of 0 to 1.
    """
    if not 0 <= least <= 1:
        raise ValueError(f'least={least}, expected 0 to 1')
    for module in model.modules():
        _allowances[module] = Allowance(least, tuple(other_shapes))


@dataclass
class Loaded:
    """What became of the tensors of a model and of a checkpoint.

    Attributes:
        total: number of tensors in the model, counters of batch normalisation left out.
        missing: names in the model only.
        unexpected: names in the checkpoint only.
        misfits: one text for each that could not be copied, for its shape or its kind.
        unused: whether no name of the checkpoint is in the model.
    """

    total: int = 0
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)
    unused: bool = False

    @property
    def matched(self) -> int:
        """Number of tensors that were copied."""
        return 0 if self.unused else max(0, self.total - len(self.missing) - len(self.misfits))

    def __str__(self) -> str:
        return (
            f'{self.matched} of {self.total} tensors loaded, {len(self.missing)} missing, '
            f'{len(self.unexpected)} unexpected, {len(self.misfits)} of another shape'
        )


def copy_state_dict(model: nn.Module, state: Mapping) -> Loaded:
    """Copy what fits, module by module, as ``load_state_dict`` of mmengine does, and count.

    Args:
        model: receives the weights; wrappers are looked through, and modules may rename or resize what they load.
        state: names and tensors; not changed.

    Returns:
        The counts.
    """
    metadata = getattr(state, '_metadata', None) or {}
    loaded = Loaded()

    def load(module: nn.Module, local: dict, prefix: str) -> None:
        while is_model_wrapper(module) or isinstance(module, BaseTTAModel):
            module = module.module
        loaded.total += sum(COUNTER not in name for name in _own_names(module))
        lists = (loaded.missing, loaded.unexpected, loaded.misfits)
        module._load_from_state_dict(local, prefix, metadata.get(prefix[:-1], {}), True, *lists)
        for name, child in module._modules.items():
            if child is not None:
                inner = f'{prefix}{name}.'
                load(child, {key: value for key, value in local.items() if key.startswith(inner)}, inner)
        keys = nn.modules.module._IncompatibleKeys(loaded.missing, loaded.unexpected)
        for hook in module._load_state_dict_post_hooks.values():
            hook(module, keys)

    load(model, OrderedDict(state), '')
    loaded.missing = [name for name in loaded.missing if COUNTER not in name]
    loaded.unused = set(state) <= set(loaded.unexpected)
    return loaded


def load_state_dict(module: nn.Module, state_dict: Mapping, strict: bool = False, logger=None) -> None:
    """Takes the place of ``mmengine.runner.checkpoint.load_state_dict``, which it equals but for what it refuses.

    The error is raised on every rank, each of which counts for itself.

    Args:
        module: receives the weights.
        state_dict: names and tensors.
        strict: whether all names have to be those of the model.
        logger: for the warning with all names, if any is left.

    Raises:
        LoadError: nothing fits; or, unless :func:`allow_partial` allows it: less than ``LEAST`` does, a shape differs.
    """
    allowed = _allowances.get(module, Allowance())
    loaded = copy_state_dict(module, state_dict)
    fault = _fault(loaded, allowed, strict)
    if fault:
        raise LoadError(f'{last_source()}: {loaded} of {type(module).__name__}; {fault}')
    names = [('missing', loaded.missing), ('unexpected', loaded.unexpected), ('not copied', loaded.misfits)]
    left = [f'{what}: {printable(", ".join(some))}' for what, some in names if some]
    if left and is_main_process():
        print_log('\n'.join([f'{last_source()}: {loaded} of {type(module).__name__}', *left]), logger, logging.WARNING)


def load_checkpoint_with_prefix(prefix: str, filename: str, map_location=None) -> dict:
    """Takes the place of ``mmengine.runner.checkpoint._load_checkpoint_with_prefix``, used by ``init_cfg``.

    Args:
        prefix: of the names that are wanted, with or without the dot at its end.
        filename: as ``CheckpointLoader`` of mmengine takes it.
        map_location: as ``torch.load`` takes it.

    Returns:
        Name without the prefix to tensor.

    Raises:
        LoadError: no name has the prefix; mmengine has an ``assert``, which optimised Python leaves out.
    """
    checkpoint = CheckpointLoader.load_checkpoint(filename, map_location)
    state = checkpoint.get('state_dict', checkpoint)
    prefix = prefix if prefix.endswith('.') else f'{prefix}.'
    found = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    if not found:
        some = printable(', '.join(list(state)[:3])) or 'no name'
        raise LoadError(f'{last_source()}: 0 of {len(state)} names start with {prefix!r}, expected some; found {some}')
    return found


def _fault(loaded: Loaded, allowed: Allowance, strict: bool) -> str | None:
    """What is wrong with a load: found and expected."""
    misfits = [text for text in loaded.misfits if not any(_is_about(text, each) for each in allowed.other_shapes)]
    if misfits and loaded.matched:
        return f'expected the same shapes: {printable(misfits[0])}; {ADVICE}'
    lists = {'missing': loaded.missing, 'unexpected': loaded.unexpected}
    first = ', '.join(f'first {what} {printable(names[0])}' for what, names in lists.items() if names)
    if strict and first:
        return f'expected the same names; {first}'
    # A module without weights of its own takes any checkpoint.
    if loaded.total and (not loaded.matched or loaded.matched < allowed.least * loaded.total):
        expected = f'at least {allowed.least:.0%} of the model' if loaded.matched else 'names and shapes of the model'
        return '; '.join(part for part in (f'expected {expected}', first, ADVICE) if part)
    return None


def _is_about(text: str, pattern: str) -> bool:
    """Whether a message of torch is about a tensor: ``size mismatch for NAME: ...``, ``... named "NAME", ...``."""
    return any(fnmatch(word.strip(':",'), pattern) for word in text.split()[:8])


def _own_names(module: nn.Module) -> list[str]:
    """Names of the parameters and persistent buffers that stand in a module itself."""
    buffers = {n: each for n, each in module._buffers.items() if n not in module._non_persistent_buffers_set}
    return [name for name, value in (module._parameters | buffers).items() if value is not None]
