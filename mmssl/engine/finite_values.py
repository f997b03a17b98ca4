"""Which numbers of a training are not finite."""

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn


def losses_not_finite(outputs: dict, logged: dict) -> dict[str, float]:
    """The loss terms of a step that are infinite or not a number.

    Args:
        outputs: of the step; terms are those with ``loss`` in their name, as for mmengine's sum.
        logged: mmengine's scalars by ``train/<name>``, of this step: it has waited for the accelerator for them.

    Returns:
        Name to value, the terms before their sum.
    """
    found = {}
    for name, value in outputs.items():
        if 'loss' not in name:
            continue
        buffer = logged.get(f'train/{name}')
        number = float(value if buffer is None else buffer.current())
        if not math.isfinite(number):
            found[name] = number
    return dict(sorted(found.items(), key=lambda item: item[0] == 'loss'))


@torch.no_grad()
def tensors_not_finite(model: nn.Module) -> list[str]:
    """Names of a model's weights and buffers with a value that is not finite; one wait for an accelerator."""
    state = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    if not state:
        return []
    # Times zero: what is finite gives 0, the rest not a number; a sum reads each tensor once and keeps nothing.
    sums = [(tensor.detach() * 0).sum().float() for tensor in state.values()]
    sums = torch.stack([one.to(sums[0].device) for one in sums])
    return [name for name, value in zip(state, sums.tolist(), strict=True) if value != 0]


def image_paths(batch) -> list[str]:
    """The images of a batch in its order, whatever lies around its data samples."""
    paths = dict.fromkeys(_paths(batch))
    return [str(path) for path in paths]


def _paths(part) -> Iterable[str]:
    if isinstance(part, Tensor | np.ndarray | str | bytes):
        return
    if isinstance(part, dict):
        part = part.values()
    elif hasattr(part, 'metainfo'):
        path = part.metainfo.get('img_path')
        if path is not None:
            yield path
        return
    if isinstance(part, Iterable):
        for one in part:
            yield from _paths(one)
