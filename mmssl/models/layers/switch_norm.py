"""Switchable normalisation: a learned mixture of instance, layer and batch statistics (S4, section 2.4.1)."""

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm

from mmssl.registry import MODELS

from .joint_statistics import joint_statistics


class InstanceMoments(torch.autograd.Function):
    """Mean and biased variance of each channel of each image: (N, C, H, W) -> (N, C) twice, float32 or wider.

    This and ``ScaleAndShift`` have gradients of their own, which keep the input alone, as BN does: those that autograd
    makes of the same lines keep another map and take two to five times as long on a CPU, and ``torch.var_mean`` is
    slower still.
    """

    @staticmethod
    def forward(ctx, x: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        mean = x.mean((2, 3), dtype=torch.promote_types(x.dtype, torch.float32))
        # About the mean: a mean of squares less the squared mean loses a small variance beside a large mean.
        var = (x - _as_map(mean)).square_().mean((2, 3))
        ctx.save_for_backward(x, mean)
        return mean, var

    @staticmethod
    def backward(ctx, mean_gradient: Tensor, var_gradient: Tensor) -> Tensor:  # noqa: D102
        x, mean = ctx.saved_tensors
        pixels = x.shape[2] * x.shape[3]
        # d var / d x = 2 (x - mean) / pixels: what goes through the mean sums to 0.
        slope = 2 * var_gradient / pixels
        return torch.addcmul(_as_map(mean_gradient / pixels - slope * mean), x, _as_map(slope)).to(x.dtype)


class ScaleAndShift(torch.autograd.Function):
    """``x * scale + shift`` for each channel of each image: (N, C, H, W), (N, C), (N, C) -> as ``x``."""

    @staticmethod
    def forward(ctx, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:  # noqa: D102
        ctx.save_for_backward(x, scale)
        return torch.addcmul(_as_map(shift), x, _as_map(scale)).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: D102
        x, scale = ctx.saved_tensors
        gradient = gradient.to(scale.dtype)
        # The product is gone before the next map is made, which takes its memory.
        of_scale = (gradient * x).sum((2, 3))
        return (gradient * _as_map(scale)).to(x.dtype), of_scale, gradient.sum((2, 3))


def pooled_statistics(mean: Tensor, var: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of equally large groups of values taken together.

    mean of var + variance of mean equals mean of (var + mean^2) - (mean of mean)^2, the paper's form, and does not
    cancel in float32.

    Args:
        mean: (N, C), of each group.
        var: (N, C), biased.
        axis: which groups come together: 0, those of all images; 1, those of all channels.

    Returns:
        Mean and variance, each with size 1 along ``axis``.
    """
    joint = mean.mean(axis, keepdim=True)
    return joint, (var + (mean - joint).square()).mean(axis, keepdim=True)


def mixed_statistics(
    mean: Tensor, var: Tensor, batch_mean: Tensor, batch_var: Tensor, mean_weight: Tensor, var_weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Mix instance, layer and batch statistics, the means and the variances by softmax weights of their own.

    Args:
        mean: (N, C), float, of each channel of each image.
        var: (N, C), biased.
        batch_mean: (C,) or (1, C), of the batch, or its running average.
        batch_var: (C,) or (1, C).
        mean_weight: (3,), any range, before the softmax: of instance, layer, batch.
        var_weight: (3,), likewise.

    Returns:
        Mean and variance, (N, C) each.
    """
    layer_mean, layer_var = pooled_statistics(mean, var, axis=1)
    of_mean, of_var = (weight.to(mean.dtype).softmax(0) for weight in (mean_weight, var_weight))
    return (
        of_mean[0] * mean + of_mean[1] * layer_mean + of_mean[2] * batch_mean,
        of_var[0] * var + of_var[1] * layer_var + of_var[2] * batch_var,
    )


@MODELS.register_module()
class SwitchNorm2d(_InstanceNorm):
    """Switchable normalisation of maps.

        mean = sum_k softmax(mean_weight)_k * mean_k,   var = sum_k softmax(var_weight)_k * var_k
        y = weight * (x - mean) / sqrt(var + eps) + bias,   k: instance, layer, batch

    Source: Luo et al., "Differentiable Learning-to-Normalize via Switchable Normalization", ICLR 2019; S4, section
    2.4.1. All mixtures start at 1/3 each, from logits of 1. ``norm_cfg=dict(type='mmssl.SwitchNorm2d')`` is enough.

    - Variances are biased. ``running_mean`` and ``running_var`` (unbiased) follow the batch statistics as in BN, and
      take their place in evaluation. Names and shapes are BN's, down to mmcv's ``bn1``: a checkpoint of BN lacks
      ``mean_weight`` and ``var_weight`` alone, and BN finds these alone too many.
    - A batch of one image and maps of 1x1 work, also together; then ``running_var``, too, takes the variance 0.
    - Statistics are in float32 or wider, also under autocast; the output has the type and layout of the input.
    - To hosts it is an instance normalisation, for even in evaluation it is not one scale and shift a channel:
      nothing folds it into a convolution, and a Runner's ``sync_bn`` leaves it alone (use ``sync``).
      ``norm_decay_mult`` reaches it, the logits included. A backbone's ``norm_eval`` and mmpretrain's
      ``PreciseBNHook`` do not: ``frozen_stages`` and ``mmssl.FreezeHook`` hold its statistics.

    Deviations: the paper evaluates with the average of the statistics of several batches under fixed weights. For that
    set ``momentum`` of the layers to None, call ``reset_running_stats()``, and pass these batches in training mode. The
    released code's instance variance is unbiased.

    Args:
        num_features: C, channels of the input.
        eps: added to the variance.
        momentum: weight of the new batch in the running averages, 0 to 1; None: the plain mean of all batches.
        affine: whether there are ``weight`` and ``bias``.
        sync: whether the batch is that of all ranks, on any device.

    Raises:
        ValueError: on values outside of these; on an input of another shape; in training on an empty batch.
    """

    # As mmcv names BN in its networks, so that checkpoints fit.
    _abbr_ = 'bn'

    def __init__(
        self,
        num_features: int,
        *,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        sync: bool = False,
    ):
        if momentum is not None and not 0 <= momentum <= 1:
            raise ValueError(f'SwitchNorm2d: momentum={momentum}, expected 0 to 1, or None')
        super().__init__(num_features, eps=eps, momentum=momentum, affine=affine, track_running_stats=True)
        self.mean_weight = nn.Parameter(torch.ones(3))
        self.var_weight = nn.Parameter(torch.ones(3))
        self.sync = sync

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same; in training the running statistics move on."""
        self._check_input_dim(x)
        mean, var = InstanceMoments.apply(x)
        batch = self._of_batch(mean, var, x.numel()) if self.training else (self.running_mean, self.running_var)
        mean, var = mixed_statistics(mean, var, *batch, self.mean_weight, self.var_weight)
        scale = torch.rsqrt(var + self.eps)
        if self.affine:
            scale = scale * self.weight
        shift = -mean * scale if self.bias is None else self.bias - mean * scale
        return ScaleAndShift.apply(x, scale, shift)

    def _of_batch(self, mean: Tensor, var: Tensor, values: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of the batch, (C,) each; the running statistics follow them."""
        if not values:
            raise ValueError('SwitchNorm2d: an empty batch in training, expected at least one value a channel')
        mean, var = (statistic.squeeze(0) for statistic in pooled_statistics(mean, var, axis=0))
        count = mean.new_full((), values // self.num_features)
        if self.sync and get_world_size() > 1:
            mean, var, count = joint_statistics(mean, var, values // self.num_features)
        with torch.no_grad():
            self.num_batches_tracked += 1
            # On the device, so that nobody waits for it.
            batches = self.num_batches_tracked.to(mean.dtype)
            share = 1 / batches if self.momentum is None else torch.full_like(batches, self.momentum)
            # A single value has no unbiased variance; its biased one is what training normalises with.
            unbiased = var * count / (count - 1).clamp(min=1)
            for running, new in ((self.running_mean, mean), (self.running_var, unbiased)):
                running.copy_(torch.lerp(running.to(new.dtype), new, share))
        return mean, var

    def _check_input_dim(self, x: Tensor) -> None:
        # One channel would be spread over all of them.
        if x.dim() != 4 or x.shape[1] != self.num_features:
            raise ValueError(f'SwitchNorm2d: input {tuple(x.shape)}, expected (N, {self.num_features}, H, W)')

    def extra_repr(self) -> str:
        """Constructor arguments."""
        return f'{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, sync={self.sync}'


def _as_map(statistic: Tensor) -> Tensor:
    return statistic[:, :, None, None]
