"""How much each task pulls at the shared weights, and whether with the segmentation or against it."""

from collections.abc import Sequence

import torch
from torch import Tensor


def flat(gradients: Sequence[Tensor | None], like: Sequence[Tensor]) -> Tensor:
    """One vector of float32 of the gradients, 0 where there is none.

    Args:
        gradients: one a parameter, or None.
        like: the parameters.

    Returns:
        (P,), P numbers in all parameters.
    """
    parts = (p.new_zeros(p.shape) if g is None else g for g, p in zip(gradients, like, strict=True))
    return torch.cat([part.detach().reshape(-1).float() for part in parts])


def conflict(gradients: dict[str, Tensor], main: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Norms, and cosines with one task.

    Args:
        gradients: of each task, (P,).
        main: the task to compare with.

    Returns:
        Euclidean norm of each; cosine of each other one with it, -1..1, 0 where a gradient is 0. Below 0 a step along
        the task's gradient makes the other loss larger.
    """
    norms = {name: gradient.norm() for name, gradient in gradients.items()}
    cosines = {
        name: torch.nn.functional.cosine_similarity(gradient, gradients[main], dim=0)
        for name, gradient in gradients.items()
        if name != main
    }
    return norms, cosines
