"""Gradients of several losses, one graph in memory at a time (S4, section 2.3)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _WithGradients(torch.autograd.Function):
    """A number whose gradients are known already."""

    @staticmethod
    def forward(ctx, value: Tensor, gradients: list[Tensor | None], *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor):
        gradients, ctx.gradients = ctx.gradients, None
        return None, None, *(None if each is None else each * upstream.to(each.dtype) for each in gradients)


def sequential_loss(
    losses: Sequence[Callable[[], Tensor]],
    parameters: Sequence[Tensor],
    watch: Callable[[int, Sequence[Tensor | None]], None] | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Sum losses whose graphs would not fit beside each other: each is made, differentiated and freed in turn.

    ``backward`` of the sum then only hands the gradients over, times what it is given; so accumulation, clipping,
    the optimiser and DistributedDataParallel see an ordinary loss. It costs one copy of the gradients.

    Gradients are taken before a loss scale is applied, so that in float16 small ones vanish: use bfloat16.

    Args:
        losses: functions without arguments that make a scalar with a graph.
        parameters: leaves, all that the losses depend on.
        watch: called with the number of a loss and its gradients, in the order of the parameters, None where it does
            not depend on one; they are to be copied, not kept.

    Returns:
        The sum, with gradients; and each loss, without.

    Raises:
        ValueError: under autocast to float16, or without a gradient to take.
    """
    parameters = [each for each in parameters if each.requires_grad]
    if not parameters:
        raise ValueError('sequential losses: no parameter with a gradient found, expected at least one')
    device = parameters[0].device.type
    if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16:
        raise ValueError('sequential losses under float16: expected bfloat16, for there is no loss scale yet')
    total: list[Tensor | None] = [None] * len(parameters)
    values = []
    for number, make in enumerate(losses):
        loss = make()
        values.append(loss.detach())
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True) if loss.requires_grad else ()
        del loss
        if watch is not None:
            watch(number, gradients or [None] * len(parameters))
        for index, gradient in enumerate(gradients):
            if gradient is None:
                continue
            # Not added in place: autograd may hand out one tensor for two parameters.
            total[index] = gradient if total[index] is None else total[index] + gradient
    summed = torch.stack(values).sum()
    return _WithGradients.apply(summed, total, *parameters), values
