"""Carry out a planned transfer."""

from collections.abc import Sequence

import torch

from .rule_work import TransferEntry


@torch.no_grad()
def apply_transfer(entries: Sequence[TransferEntry]) -> None:
    """Write the planned values into the model, in place; data type, device and memory format stay the model's.

    Args:
        entries: of :func:`plan_transfer`; shapes were compared there, so that nothing fails half-way.
    """
    for entry in entries:
        if entry.value is not None:
            entry.target.tensor.copy_(entry.value)
