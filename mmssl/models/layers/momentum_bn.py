"""Batch normalisation that follows a moving average of the statistics already in training (S1, equation 2.8)."""

import torch
from mmengine.dist import get_world_size
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from mmssl.registry import MODELS

from .joint_statistics import joint_statistics


def moving_average(past: Tensor, batch: Tensor, known: Tensor, momentum: float) -> Tensor:
    """(1 - momentum) * past + momentum * batch; the batch alone where no past is known, with its whole gradient.

    Args:
        past: (C,), of earlier batches.
        batch: (C,), of this one.
        known: (), bool, on their device, so that nobody waits for it.
        momentum: weight of the batch, 0 to 1; at 1 the result equals ``batch`` to the bit.

    Returns:
        (C,), as ``batch``.
    """
    return torch.lerp(torch.where(known, past, batch), batch, momentum)


@MODELS.register_module()
class MomentumBN(_BatchNorm):
    """Batch normalisation by an average of this batch's and earlier batches' statistics, equation 2.8.

        mean_t = coefficient * mean_(t-1) + (1 - coefficient) * mean of the batch
        var_t  = coefficient * var_(t-1)  + (1 - coefficient) * variance of the batch
        y = weight * (x - mean_t) / sqrt(var_t + eps) + bias

    ``coefficient`` is the alpha of S1: the weight of the OLD value. ``momentum``, which torch and OpenMMLab define as
    the weight of the NEW value, is 1 - coefficient. BN uses its moving average in evaluation alone; here the one
    average serves both modes. With coefficient 0 training is that of BN with ``momentum=1``.

    Source: S1, section 2.1.3; Li et al., "Momentum^2 Teacher", 2021, whose teacher alone has this layer. Parameters,
    buffers and their names are those of BN: checkpoints fit both ways, and ``norm_cfg=dict(type='mmssl.MomentumBN')``
    is enough. Evaluation is BN's.

    - The first batch (``num_batches_tracked`` is 0) has no past: it is normalised by itself, not with the initial 0
      and 1. So is the first batch after a checkpoint without that count.
    - The variance is biased, as in equation 2.5, and ``running_var`` holds the unbiased one, n / (n - 1) times as
      large, as in BN; n is the number of values a channel.
    - The gradient goes through the batch's share of the average; the past is a constant.
    - Statistics are in float32 or wider, also under autocast; the output has the type and layout of the input.
    - All that the next batch needs is in the buffers. The coefficient is not: whoever schedules it sets it from the
      number of the step.

    Deviations: the released code multiplies an unbiased variance by n / (n - 1) again, counts two forward passes as one
    batch (here ``forwards_per_update=2``), and has a schedule (here ``mmssl.MomentumBNHook``).

    A Runner's ``sync_bn`` turns every batch normalisation into torch's ``SyncBatchNorm``, this one too: leave it unset.

    Args:
        num_features: C, channels of the input.
        coefficient: weight of the past, 0 to 1. S1 names no value; the default is that of torch's running average.
        eps: added to the variance.
        affine: whether there are ``weight`` and ``bias``.
        sync: whether the batch is that of all ranks, on any device. Not by default: S1 has this layer so that the
            target encoder needs no synchronised normalisation.
        forwards_per_update: forward passes in training whose statistics, averaged, make one update; each is normalised
            with the same past. With 2 and one pass for each of two views neither comes first. It must divide the
            passes of a step, since a checkpoint does not hold half an update.

    Raises:
        ValueError: on values outside of these; on an input of another shape; in training on a single value a channel.
    """

    def __init__(
        self,
        num_features: int,
        *,
        coefficient: float = 0.9,
        eps: float = 1e-5,
        affine: bool = True,
        sync: bool = False,
        forwards_per_update: int = 1,
    ):
        super().__init__(num_features, eps=eps, affine=affine)
        if forwards_per_update < 1:
            raise ValueError(f'MomentumBN: forwards_per_update={forwards_per_update}, expected at least 1')
        self.set_coefficient(coefficient)
        self.sync = sync
        self.forwards_per_update = forwards_per_update

    @property
    def coefficient(self) -> float:
        """Weight of the past: 1 - ``momentum``, the one that is stored, since hosts' tools set it (precise BN)."""
        return 1 - self.momentum

    def set_coefficient(self, value: float) -> None:
        """Set the weight of the past for the batches to come, 0 to 1."""
        if not 0 <= value <= 1:
            raise ValueError(f'MomentumBN: coefficient={value}, expected 0 to 1')
        self.momentum = 1 - value

    def reset_running_stats(self) -> None:
        """Forget the past."""
        super().reset_running_stats()
        self._pending: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """(B, C), (B, C, L) or (B, C, H, W) -> the same; in training the statistics move on."""
        self._check_input_dim(x)
        if not self.training:
            return super().forward(x)
        sync = self.sync and get_world_size() > 1
        count, needed = x.numel() // self.num_features, 1 if sync else 2
        if count < needed:
            raise ValueError(f'MomentumBN: {count} value(s) a channel in training, expected at least {needed}')

        axes = [axis for axis in range(x.dim()) if axis != 1]
        own_mean = x.mean(axes, dtype=torch.promote_types(x.dtype, torch.float32))
        # The only map that the backward pass needs; torch.var_mean takes ten times as long on a CPU.
        centred = x - self._as_map(own_mean, x)
        mean, var = own_mean, centred.square().mean(axes)
        if sync:
            mean, var, count = joint_statistics(mean, var, count)
        biased = (count - 1) / count

        known = self.num_batches_tracked > 0
        mean_t = moving_average(self.running_mean, mean, known, self.momentum)
        var_t = moving_average(self.running_var * biased, var, known, self.momentum)
        scale, shift = torch.rsqrt(var_t + self.eps), own_mean - mean_t
        if self.affine:
            scale = scale * self.weight
        shift = shift * scale if self.bias is None else self.bias + shift * scale
        out = torch.addcmul(self._as_map(shift, x), centred, self._as_map(scale, x))
        self._follow(mean.detach(), var.detach() / biased)
        return out.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, var: Tensor) -> None:
        """Move the running statistics on, once enough forward passes came together."""
        self._pending.append(torch.stack([mean, var]))
        if len(self._pending) < self.forwards_per_update:
            return
        batches, known = torch.stack(self._pending).mean(0), self.num_batches_tracked > 0
        for running, batch in zip((self.running_mean, self.running_var), batches, strict=True):
            running.copy_(moving_average(running, batch, known, self.momentum))
        self.num_batches_tracked += 1
        self._pending.clear()

    @staticmethod
    def _as_map(statistic: Tensor, x: Tensor) -> Tensor:
        return statistic.view(1, -1, *[1] * (x.dim() - 2))

    def _check_input_dim(self, x: Tensor) -> None:
        # One channel would be spread over all of them.
        if not 2 <= x.dim() <= 4 or x.shape[1] != self.num_features:
            raise ValueError(
                f'MomentumBN: input {tuple(x.shape)}, expected (B, {self.num_features}) with up to two more dimensions'
            )

    def extra_repr(self) -> str:
        """Constructor arguments."""
        return (
            f'{self.num_features}, coefficient={self.coefficient:g}, eps={self.eps}, affine={self.affine}, '
            f'sync={self.sync}, forwards_per_update={self.forwards_per_update}'
        )
