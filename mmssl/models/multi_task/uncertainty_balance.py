"""Task weights by the uncertainty of each task."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmssl.registry import MODELS


def uncertainty_loss(loss: Tensor, log_variance: Tensor, regression: bool) -> Tensor:
    """A task's loss, scaled by how certain the task is, and what the uncertainty costs.

    With s = log sigma^2: loss / (2 sigma^2) + log sigma = exp(-s) loss / 2 + s / 2 for a squared error, and
    loss / sigma^2 + log sigma = exp(-s) loss + s / 2 for a cross entropy.

    Args:
        loss: scalar.
        log_variance: scalar, s.
        regression: whether the loss is a squared error.

    Returns:
        Scalar; it can be negative.
    """
    return torch.exp(-log_variance) * loss * (0.5 if regression else 1.0) + 0.5 * log_variance


@MODELS.register_module()
class UncertaintyBalance(nn.Module):
    """Learn the weight of each task as its uncertainty.

    Source: S4 asks for weights of tasks; A. Kendall, Y. Gal and R. Cipolla, "Multi-Task Learning Using Uncertainty to
    Weigh Losses", CVPR 2018, equations 7 and 10, with the logarithm of the variance as the parameter. At the start
    every variance is 1. Weight decay draws the logarithms to 0: leave it out for ``log_variance`` where that matters
    (``paramwise_cfg=dict(custom_keys={'log_variance': dict(decay_mult=0)})``).

    Args:
        regression: names of the tasks whose loss is a squared error; the others are classified.
    """

    needs_gradients = False

    def __init__(self, *, regression: Sequence[str] = ()):
        super().__init__()
        self.regression = tuple(regression)

    def begin(self, names: Sequence[str]) -> None:
        """Make a parameter for each task.

        Raises:
            ValueError: a regression that is no task.
        """
        unknown = sorted(set(self.regression) - set(names))
        if unknown:
            raise ValueError(f'UncertaintyBalance: regression names {unknown}, expected some of {list(names)}')
        self.log_variance = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in names})

    def forward(self, name: str, loss: Tensor) -> Tensor:
        """The weighted loss of a task, a scalar."""
        return uncertainty_loss(loss, self.log_variance[name], name in self.regression)

    def weights(self) -> dict[str, Tensor]:
        """What each loss is multiplied by, without gradient."""
        return {
            name: torch.exp(-value.detach()) * (0.5 if name in self.regression else 1.0)
            for name, value in self.log_variance.items()
        }
