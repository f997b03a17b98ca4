"""Parameters and floating-point operations of a network, for each of its parts."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class PartComplexity:
    """One top-level module, or the whole network.

    Attributes:
        parameters: numbers that are stored as parameters.
        trainable: those of them that require a gradient.
        flops: floating-point operations of one forward pass.
    """

    parameters: int
    trainable: int
    flops: int


def measure_complexity(model: nn.Module, forward: Callable[[], object]) -> dict[str, PartComplexity]:
    """Counts parameters and operations.

    Operations are those of convolutions, transposed convolutions and matrix products (linear layers, attention),
    a multiplication and an addition being two: half of it is the number of multiply-accumulates (MACs). Additions of
    biases, normalisation, activations, pooling and interpolation are not counted. PyTorch's dispatcher is asked, not
    the module tree, so that functional calls and heads that are called by another method than ``forward`` count too.

    Args:
        model: the network.
        forward: runs it once; called without gradients.

    Returns:
        The top-level modules by name, without those that have neither parameters nor operations; ``other`` for
        operations outside them; ``total`` last. A parameter that two modules share counts in both, once in ``total``.
    """
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        forward()
    by_module = {name: sum(counts.values()) for name, counts in counter.get_flop_counts().items()}
    total = by_module.get('Global', 0)
    root = type(model).__name__
    parts = {}
    for name, child in model.named_children():
        flops = _flops_below(f'{root}.{name}', by_module)
        parameters = list(child.parameters())
        if parameters or flops:
            parts[name] = _complexity(parameters, flops)
    rest = total - sum(part.flops for part in parts.values())
    own = list(model.parameters(recurse=False))
    if rest or own:
        parts['other'] = _complexity(own, rest)
    parts['total'] = _complexity(list(model.parameters()), total)
    return parts


def _complexity(parameters: list[nn.Parameter], flops: int) -> PartComplexity:
    trainable = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    return PartComplexity(sum(parameter.numel() for parameter in parameters), trainable, flops)


def _flops_below(prefix: str, by_module: dict[str, int]) -> int:
    """Adds the outermost modules at or below ``prefix``: mmseg calls a head's methods, not the head itself."""
    inside = {name for name in by_module if name == prefix or name.startswith(f'{prefix}.')}
    ancestors = {
        name: ['.'.join(name.split('.')[:depth]) for depth in range(1, name.count('.') + 1)] for name in inside
    }
    return sum(by_module[name] for name in inside if inside.isdisjoint(ancestors[name]))
