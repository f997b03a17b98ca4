"""Statistics of a batch that is spread over ranks, on any device."""

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_rank, get_world_size
from torch import Tensor


class SumOfRanks(torch.autograd.Function):
    """Sum of a tensor over the ranks, with the gradient of the sum of the ranks' losses (torch deprecated its own)."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # noqa: D102
        x = x.clone(memory_format=torch.contiguous_format)
        all_reduce(x)
        return x

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:  # noqa: D102
        return SumOfRanks.apply(gradient)


def joint_statistics(mean: Tensor, var: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Statistics of all ranks' values taken together, the same to the bit on all ranks, and differentiable.

    Args:
        mean: (C,), of this rank.
        var: (C,), of this rank, biased.
        count: values a channel on this rank; ranks may differ.

    Returns:
        Mean (C,), biased variance (C,) and number of values () of all ranks. A gradient is that of the sum of the
        ranks' losses, as with torch's ``SyncBatchNorm``.
    """
    own = torch.cat([mean, var, mean.new_full((1,), count)])
    # One row a rank. A sum of one value and zeros gathers them exactly, in a single exchange.
    rows = SumOfRanks.apply(F.pad(own[None], (0, 0, get_rank(), get_world_size() - get_rank() - 1)))
    means, variances, counts = rows.split([len(mean), len(mean), 1], dim=1)
    total = counts.detach().sum()
    shares = counts.detach() / total
    joint = (shares * means).sum(0)
    return joint, (shares * (variances + (means - joint) ** 2)).sum(0), total
