"""Batch normalisation of several tasks in one pass, each by its own images."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from ..layers.batch_norms import BATCH_NORMS

# They leave their running statistics alone when told not to track them; other kinds need them put back.
PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


@contextmanager
def norms_by_task(encoder: nn.Module, sizes: Sequence[int] | None, tracked: Sequence[bool]) -> Iterator[None]:
    """Let every batch normalisation in training treat the parts of a batch one after the other.

    An erased, a noisy or a grey image has other statistics than a photograph. Normalised together each would depend on
    what else is in the batch, and the running statistics, which predictions use, would be those of a mixture that
    nobody predicts. So each task is normalised by its own images, and only those of tracked tasks move the running
    statistics. The result of one pass equals that of a pass for each task.

    Args:
        encoder: its layers of ``BATCH_NORMS`` in training mode are concerned.
        sizes: images of each task, in the order of the batch; None for one task, of any size.
        tracked: whether a task's images move the running statistics.
    """
    layers = [each for each in encoder.modules() if isinstance(each, BATCH_NORMS) and each.training]
    if list(tracked) == [True]:
        layers = []
    for layer in layers:
        layer.forward = partial(_forward_parts, layer, layer.forward, sizes and list(sizes), list(tracked))
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # the class's own is back


def _forward_parts(layer: nn.Module, forward, sizes: list[int] | None, tracked: list[bool], x: Tensor) -> Tensor:
    parts = zip(x.split(sizes) if sizes else (x,), tracked, strict=True)
    done = [forward(part) if track else _forward_untracked(layer, forward, part) for part, track in parts]
    return done[0] if len(done) == 1 else torch.cat(done)


def _forward_untracked(layer: nn.Module, forward, x: Tensor) -> Tensor:
    if not layer.track_running_stats:
        return forward(x)
    if type(layer) in PLAIN:
        layer.track_running_stats = False
        try:
            return forward(x)
        finally:
            layer.track_running_stats = True
    with statistics_kept([layer]):
        return forward(x)


@contextmanager
def statistics_kept(layers: Iterable[nn.Module]) -> Iterator[None]:
    """Let layers move copies of their buffers, and give them the untouched ones back.

    Buffers that a graph holds must not be written to, so they are not restored by copying.

    Args:
        layers: those of ``BATCH_NORMS`` are concerned.
    """
    kept = [(layer, dict(layer._buffers)) for layer in layers if isinstance(layer, BATCH_NORMS)]
    for layer, buffers in kept:
        layer._buffers.update({name: value if value is None else value.clone() for name, value in buffers.items()})
    try:
        yield
    finally:
        for layer, buffers in kept:
            layer._buffers.update(buffers)
