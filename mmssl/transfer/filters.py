"""Filters of a layer, their energy, and layers composed of filters of two origins (S0, section 5.1 and table 5.7)."""

import hashlib
import math

import torch
from torch import Tensor


def as_filters(weight: Tensor, transposed_groups: int = 0) -> Tensor:
    """Lay out a weight as one row a filter, that is one output channel.

    Args:
        weight: (O, I, ...) of a convolution or linear layer, or (I, O / groups, ...) of a transposed convolution.
        transposed_groups: groups of a transposed convolution, 0 for every other layer.

    Returns:
        (O, n) with n weights a filter.
    """
    if transposed_groups:
        inputs, outputs, *kernel = weight.shape
        weight = weight.reshape(transposed_groups, inputs // transposed_groups, outputs, *kernel).transpose(1, 2)
        return weight.reshape(transposed_groups * outputs, -1)
    return weight.reshape(weight.shape[0], -1)


def from_filters(filters: Tensor, shape: torch.Size, transposed_groups: int = 0) -> Tensor:
    """Undo :func:`as_filters`.

    Args:
        filters: (O, n).
        shape: of the weight.
        transposed_groups: as there.

    Returns:
        A weight of ``shape``.
    """
    if transposed_groups:
        inputs, outputs, *kernel = shape
        filters = filters.reshape(transposed_groups, outputs, inputs // transposed_groups, *kernel).transpose(1, 2)
    return filters.reshape(shape)


def filter_energy(filters: Tensor) -> Tensor:
    """Sum of the magnitudes of each filter's weights.

    Args:
        filters: (O, n).

    Returns:
        (O,) float64.
    """
    return filters.double().abs().sum(dim=1)


def by_energy(filters: Tensor) -> Tensor:
    """Indices of filters from the highest energy to the lowest; of equal ones the first comes first.

    Args:
        filters: (O, n).

    Returns:
        (O,) int64.
    """
    return torch.sort(filter_energy(filters), descending=True, stable=True).indices


def number_kept(share: float, filters: int) -> int:
    """How many filters a share of them is: rounded, halves up, at least one.

    Args:
        share: in (0, 1].
        filters: of the layer.

    Returns:
        From 1 to ``filters``.
    """
    return max(1, math.floor(share * filters + 0.5))


def weakest(filters: Tensor, kept: int) -> Tensor:
    """Indices, ascending, of the filters that are not among the ``kept`` of the highest energy.

    Args:
        filters: (O, n).
        kept: 1 to O.

    Returns:
        (O - kept,) int64.
    """
    return by_energy(filters)[kept:].sort().values


def kaiming_filters(number: int, size: int, *, seed: int, name: str) -> Tensor:
    """New filters from a normal distribution of mean 0 and deviation sqrt(2 / size).

    Source: K. He et al., "Delving deep into rectifiers", ICCV 2015, equation 10, with fan_in the number of weights of
    a filter. The draw depends on ``seed`` and ``name`` alone, neither on torch's global generator nor on other layers.

    Args:
        number: of filters.
        size: weights a filter.
        seed: of the run.
        name: of the layer's weight.

    Returns:
        (number, size) float32.
    """
    digest = hashlib.sha256(f'{seed}:{name}'.encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], 'big'))
    return torch.randn(number, size, generator=generator) * math.sqrt(2 / size)


def replace_rows(rows: Tensor, places: Tensor, new: Tensor) -> Tensor:
    """A copy with some rows replaced.

    Args:
        rows: (O, n) filters or (O,) biases.
        places: (m,) indices.
        new: (m, n) or (m,).

    Returns:
        As ``rows``.
    """
    result = rows.clone()
    result[places] = new.to(rows.dtype)
    return result
