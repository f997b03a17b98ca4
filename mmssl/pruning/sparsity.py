"""Zeros of each layer, and the operations that they would spare."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd
from torch.utils.flop_counter import FlopCounterMode

from .selection import prunable_layers


@dataclass(frozen=True)
class LayerSparsity:
    """One convolution or linear layer.

    Attributes:
        name: of its weight.
        weights: numbers in the weight.
        zeros: those that are zero.
        uses: how often each weight is multiplied in one forward pass: the output positions of a convolution, the
            input positions of a transposed one, the rows of a linear layer.
    """

    name: str
    weights: int
    zeros: int
    uses: int = 0

    @property
    def sparsity(self) -> float:
        """Share of zeros."""
        return self.zeros / self.weights if self.weights else 0.0

    @property
    def dense_flops(self) -> int:
        """Floating-point operations, a multiplication and an addition being two; biases are not counted."""
        return 2 * self.weights * self.uses

    @property
    def sparse_flops(self) -> int:
        """Those that are left when a zero is neither multiplied nor added."""
        return 2 * (self.weights - self.zeros) * self.uses


@dataclass(frozen=True)
class ModelSparsity:
    """A whole model.

    Attributes:
        layers: convolutions and linear layers in the order of the model.
        parameters: numbers in all parameters, biases and norms included.
        nonzero: those that are not zero.
        other_flops: operations outside the layers (attention, matrix products), which zeros do not change; 0 without
            a forward pass.
    """

    layers: tuple[LayerSparsity, ...]
    parameters: int
    nonzero: int
    other_flops: int = 0

    @property
    def total(self) -> LayerSparsity:
        """Weights and zeros of all layers; ``uses`` is not defined for the sum."""
        return LayerSparsity('total', sum(x.weights for x in self.layers), sum(x.zeros for x in self.layers))

    @property
    def dense_flops(self) -> int:
        """Operations of one forward pass of the dense network."""
        return sum(layer.dense_flops for layer in self.layers) + self.other_flops

    @property
    def sparse_flops(self) -> int:
        """Operations when every zero weight is skipped, which no dense kernel does."""
        return sum(layer.sparse_flops for layer in self.layers) + self.other_flops


@torch.no_grad()
def measure_sparsity(model: nn.Module, forward: Callable[[], object] | None = None) -> ModelSparsity:
    """Count zeros and, from the shapes of a real forward pass, operations.

    Args:
        model: without a wrapper for several processes.
        forward: runs the model once, without gradients; None counts zeros only.

    Returns:
        The numbers. Operations that the layers do not report (their weights used by a function) are in
        ``other_flops``.
    """
    layers = list(prunable_layers(model))
    uses = dict.fromkeys((id(module.weight) for _, _, module in layers), 0)
    other = 0
    if forward is not None:
        # Modules that share a weight use the same entry.
        sharing = [m for m in model.modules() if id(m._parameters.get('weight')) in uses]
        handles = [module.register_forward_hook(_count_uses(uses)) for module in sharing]
        counter = FlopCounterMode(display=False)
        try:
            with counter:
                forward()
        finally:
            for handle in handles:
                handle.remove()
        inside = sum(2 * module.weight.numel() * uses[id(module.weight)] for _, _, module in layers)
        other = max(0, counter.get_total_flops() - inside)
    rows = tuple(
        LayerSparsity(name, module.weight.numel(), _zeros(module.weight), uses[id(module.weight)])
        for _, name, module in layers
    )
    parameters = list(model.parameters())
    total = sum(parameter.numel() for parameter in parameters)
    return ModelSparsity(rows, total, total - sum(_zeros(parameter) for parameter in parameters), other)


def _zeros(tensor: Tensor) -> int:
    return tensor.numel() - int(torch.count_nonzero(tensor))


def _count_uses(uses: dict[int, int]):
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Linear):
            positions = inputs[0].numel() // module.in_features
        elif isinstance(module, _ConvTransposeNd):
            positions = inputs[0].numel() // module.in_channels
        else:
            positions = output.numel() // module.out_channels
        uses[id(module.weight)] += positions

    return hook
