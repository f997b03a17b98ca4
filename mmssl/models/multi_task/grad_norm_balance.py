"""Task weights by the norms of the tasks' gradients."""

from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmssl.registry import MODELS


def grad_norm_step(
    weights: Tensor, norms: Tensor, losses: Tensor, first_losses: Tensor, alpha: float, rate: float
) -> Tensor:
    """One step of GradNorm on the weights.

    G_i = w_i |gradient of loss i|; r_i = (L_i / L_i at first) / mean over the tasks; the weights descend on
    sum |G_i - mean(G) r_i^alpha|, the targets being constants, then are scaled to the sum T of the number of tasks.

    Args:
        weights: (T,) float, above 0.
        norms: (T,) float, norms of the gradients of the unweighted losses on the shared weights.
        losses: (T,) float.
        first_losses: (T,) float, above 0.
        alpha: strength of the pull towards tasks that learn slowly, 0 or more.
        rate: learning rate of the weights.

    Returns:
        (T,) float, at least 1e-3 before the scaling.
    """
    weighted = weights * norms
    progress = losses / first_losses
    target = weighted.mean() * (progress / progress.mean()) ** alpha
    moved = (weights - rate * torch.sign(weighted - target) * norms).clamp(min=1e-3)
    return moved * len(weights) / moved.sum()


@MODELS.register_module()
class GradNormBalance(nn.Module):
    """Move the weights until no task's gradient outgrows the others.

    Source: Z. Chen et al., "GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep Multitask Networks",
    ICML 2018, algorithm 1. The gradient of the norms by the weights is known in closed form, so no graph of a gradient
    is made. Deviations: the step is one of plain gradient descent whose learning rate is that of norms divided by
    their mean, so that it does not depend on the scale of the losses; a weight stays above 1e-3.

    All ranks have the means of the norms and losses of all, and so the same weights.

    Args:
        alpha: 1.5 in the paper for tasks that differ a lot, 0.12 for like ones.
        rate: learning rate of the weights.
        interval: iterations from one step to the next.

    Raises:
        ValueError: on values outside of these.
    """

    needs_gradients = True

    def __init__(self, *, alpha: float = 1.5, rate: float = 0.025, interval: int = 1):
        super().__init__()
        if alpha < 0 or rate <= 0 or interval < 1:
            raise ValueError(
                f'GradNormBalance: alpha={alpha}, rate={rate}, interval={interval}, '
                'expected 0 or more, above 0, and 1 or more'
            )
        self.alpha, self.rate, self.interval = alpha, rate, interval

    def begin(self, names: Sequence[str]) -> None:
        """Start with equal weights, 1 each."""
        self.names = tuple(names)
        self.register_buffer('weight', torch.ones(len(self.names)))
        self.register_buffer('first_losses', torch.zeros(len(self.names)))

    def forward(self, name: str, loss: Tensor) -> Tensor:
        """The weighted loss of a task, a scalar."""
        return self.weight[self.names.index(name)] * loss

    def weights(self) -> dict[str, Tensor]:
        """What each loss is multiplied by."""
        return dict(zip(self.names, self.weight, strict=True))

    @torch.no_grad()
    def update(self, norms: dict[str, Tensor], losses: dict[str, Tensor]) -> None:
        """Move the weights.

        Args:
            norms: of each task's gradient on the shared weights, of its unweighted loss.
            losses: unweighted, of each task.
        """
        joint = torch.stack([torch.stack([norms[name], losses[name]]) for name in self.names]).to(self.weight)
        all_reduce(joint, op='mean')
        norm, loss = joint.T
        # Without waiting for the device: the first losses are 0 until they are known.
        self.first_losses.copy_(torch.where(self.first_losses > 0, self.first_losses, loss))
        scaled = norm / norm.mean().clamp(min=torch.finfo(norm.dtype).tiny)
        # A copy_ would change what the backward pass still multiplies with.
        self.weight = grad_norm_step(self.weight, scaled, loss, self.first_losses, self.alpha, self.rate)
