"""Which weights of a model may be pruned: those of convolutions and linear layers under a pattern."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.conv import _ConvNd

from mmssl.errors import DataError

PRUNABLE_LAYERS = (_ConvNd, nn.Linear)


def prunable_layers(model: nn.Module) -> Iterator[tuple[str, str, nn.Module]]:
    """Walk through the convolutions (transposed ones too) and linear layers of a model.

    Args:
        model: any module, without a wrapper for several processes.

    Yields:
        Name of the module, name of its weight, and the module. A weight that two modules share comes with the first;
        one that is computed from others (weight norm) is no parameter and does not come.
    """
    seen = set()
    for name, module in model.named_modules():
        weight = module._parameters.get('weight') if isinstance(module, PRUNABLE_LAYERS) else None
        if weight is not None and weight.dim() >= 2 and id(weight) not in seen:
            seen.add(id(weight))
            yield name, f'{name}.weight' if name else 'weight', module


def select_weights(model: nn.Module, patterns: str | Sequence[str]) -> list[str]:
    """Name the weights under patterns; biases and the parameters of norms are never among them.

    Args:
        model: any module, without a wrapper for several processes.
        patterns: one or more shell patterns (``*``, ``?``, ``[...]``) of module names. A module is selected with all
            that it holds: ``'backbone'``, ``'decode_head.*'``, ``'*'``.

    Returns:
        Names of parameters in the order of the model, each once.

    Raises:
        ValueError: no pattern.
        DataError: a pattern that matches no convolution or linear layer.
    """
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    if not patterns:
        raise ValueError('modules: no pattern found, at least one expected')
    layers = [(name, weight) for name, weight, _ in prunable_layers(model)]
    chosen = set()
    for pattern in patterns:
        matched = {weight for name, weight in layers if any(fnmatchcase(part, pattern) for part in _lineage(name))}
        if not matched:
            tops = ', '.join(dict.fromkeys(name.split('.')[0] for name, _ in layers)) or 'none'
            raise DataError(
                f'modules: pattern {pattern!r} matches no convolution or linear layer of {type(model).__name__}; '
                f'top-level modules that hold some: {tops}'
            )
        chosen |= matched
    return [weight for _, weight in layers if weight in chosen]


def _lineage(name: str) -> list[str]:
    """A module's name and those of the modules around it."""
    parts = name.split('.')
    return ['.'.join(parts[:depth]) for depth in range(1, len(parts) + 1)]
