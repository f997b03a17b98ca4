"""The mixtures that the layers of switchable normalisation have learned, read from a checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mmssl.errors import DataError
from mmssl.transfer.sources import locate, read_checkpoint

STATISTICS = ('instance', 'layer', 'batch')


@dataclass(frozen=True)
class LayerMixture:
    """What one ``SwitchNorm2d`` mixes.

    Attributes:
        name: of the layer in the model; or what a mean over layers is of.
        means: shares of the instance, layer and batch mean, 0 to 1, together 1.
        variances: likewise of the variances.
    """

    name: str
    means: tuple[float, float, float]
    variances: tuple[float, float, float]


def read_norm_mixtures(source: str) -> list[LayerMixture]:
    """Reads the mixtures of all layers.

    Args:
        source: checkpoint file, or work dir with ``last_checkpoint``; read with ``weights_only=True``.

    Returns:
        A mixture a layer, in the order of the checkpoint, which is the one in which the network registers its layers.

    Raises:
        DataNotFoundError: when there is no such file.
        DataError: when it is no checkpoint, has no such layer, or holds weights that are not finite.
    """
    path = locate(source)
    tensors = read_checkpoint(path).tensors
    found = []
    for key, mean_weight in tensors.items():
        layer, _, last = key.rpartition('.')
        var_weight = tensors.get(f'{layer}.var_weight')
        if last == 'mean_weight' and var_weight is not None and mean_weight.shape == var_weight.shape == (3,):
            shares = (_shares(weight, f'{path}: {layer}') for weight in (mean_weight, var_weight))
            found.append(LayerMixture(layer, *shares))
    if not found:
        raise DataError(
            f'{path}: no mean_weight and var_weight of 3 numbers among {len(tensors)} tensors, '
            'expected a model with mmssl.SwitchNorm2d'
        )
    return found


def thirds(layers: Sequence[LayerMixture]) -> list[LayerMixture]:
    """Means over the first, the middle and the last third of the layers.

    Luo et al. find instance statistics preferred in early layers, batch statistics in the middle, and layer statistics
    more often in the last ones (S4, section 2.4.1).

    Args:
        layers: in the order of the network.

    Returns:
        Three means; none for fewer than three layers.
    """
    if len(layers) < 3:
        return []
    shares = np.array([[layer.means, layer.variances] for layer in layers])  # (L, 2, 3)
    names = ('first third', 'middle third', 'last third')
    return [
        LayerMixture(name, *map(tuple, part.mean(0).tolist()))
        for name, part in zip(names, np.array_split(shares, 3), strict=True)
    ]


def _shares(weight: Tensor, where: str) -> tuple[float, ...]:
    if not weight.isfinite().all():
        raise DataError(f'{where}: weights {weight.tolist()} of a mixture, expected finite numbers')
    return tuple(weight.double().softmax(0).tolist())
