"""Similarities of pixel features, the parts that PPM and LocalPPM share (S1, equations 2.10 and 2.11)."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# Lengths up to this are 0, as in torch's normalize.
SHORTEST = 1e-12
# Below this cosine a power under 1 goes on as a straight line, since its slope at 0 is infinite.
SMALLEST = 1e-6


class _UnitVectors(torch.autograd.Function):
    """Keeps the result and the inverse lengths alone; autograd of a division would keep the input as well."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # noqa: D102
        # torch's vector_norm and addcmul take ten times as long on a CPU.
        length = x.to(torch.promote_types(x.dtype, torch.float32)).square().sum(dim=1, keepdim=True).sqrt()
        scale = length.reciprocal().masked_fill_(length <= SHORTEST, 0).to(x.dtype)
        unit = x * scale
        ctx.save_for_backward(unit, scale)
        return unit

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> Tensor:  # noqa: D102
        unit, scale = ctx.saved_tensors
        along = (unit * gradient).sum(dim=1, keepdim=True)
        return (unit * along).sub_(gradient).mul_(-scale)


class _Products(torch.autograd.Function):
    """x^T x. The result is symmetric: the gradient takes one matrix product where autograd would take two."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # noqa: D102
        ctx.save_for_backward(x)
        return torch.bmm(x.mT, x)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> Tensor:  # noqa: D102
        (x,) = ctx.saved_tensors
        # Under autocast the products are in half precision, whatever x is.
        return torch.bmm(x.to(gradient.dtype), gradient + gradient.mT).to(x.dtype)


def unit_vectors(x: Tensor) -> Tensor:
    """Pixel features divided by their length.

    A zero vector stays zero, with gradient zero: torch's ``normalize`` multiplies its gradient by 1e12.

    Args:
        x: (N, C, P), float.

    Returns:
        (N, C, P), of length 1 or 0 along the channels; once differentiable.
    """
    return _UnitVectors.apply(x)


def similarity(x: Tensor, gamma: float = 2.0) -> Tensor:
    """Clamped cosine to a power, between all pixels of each set: max(cos(x_i, x_j), 0)^gamma, equation 2.11.

    A zero vector has similarity 0 with everything, itself included. The gradient is finite everywhere: 0 where the
    cosine is 0 or less and, for ``gamma`` below 1, bounded, since there the power is replaced by a straight line
    through 0 for cosines below 1e-6.

    Args:
        x: (N, C, P), float: N sets of P pixels.
        gamma: sharpness, above 0.

    Returns:
        (N, P, P), 0 to 1, symmetric; once differentiable.
    """
    cosines = F.relu(_Products.apply(unit_vectors(x)), inplace=True)
    if gamma < 1:
        return cosines * cosines.clamp(min=SMALLEST) ** (gamma - 1)
    return cosines**gamma


def propagate(values: Tensor, similarities: Tensor) -> Tensor:
    """y_i = sum_j s_ij values_j, equation 2.10.

    Args:
        values: (N, C, P), float, g(x).
        similarities: (N, P, P), symmetric.

    Returns:
        (N, C, P).
    """
    return torch.bmm(values, similarities)
