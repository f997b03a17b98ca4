"""Fold batch normalisation into the convolutions before it, for inference.

mmcv's ``fuse_conv_bn`` joins every batch norm with the last plain convolution registered before it; ERFNet
has norms behind a concatenation and behind transposed convolutions, where that is wrong or does nothing.
Here each block that knows how to fold itself has a method ``fold_norm()``; the arithmetic is torch's.
"""

import copy

import torch
from mmengine.model.utils import _BatchNormXd
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

# Exact types: a subclass may normalise in another way in evaluation. The last is what mmengine makes of a
# synchronised norm in a single process.
FOLDABLE = (nn.BatchNorm2d, nn.SyncBatchNorm, _BatchNormXd)


def is_foldable(norm: nn.Module) -> bool:
    """Whether ``norm`` is a plain batch norm with running statistics: in evaluation, one scale and shift a channel."""
    return type(norm) in FOLDABLE and norm.track_running_stats


@torch.no_grad()
def fold_into_conv(conv: nn.Conv2d | nn.ConvTranspose2d, norm: nn.Module) -> None:
    """Change ``conv`` in place so that ``conv(x)`` equals ``norm(conv(x))`` in evaluation.

    Args:
        conv: convolution or transposed convolution (one group) with C output channels.
        norm: batch norm over the same C channels.

    Raises:
        ValueError: when the numbers of channels differ.
    """
    if conv.out_channels != norm.num_features:
        raise ValueError(f'fold_into_conv: norm has {norm.num_features} channels, convolution {conv.out_channels}')
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
        transpose=isinstance(conv, nn.ConvTranspose2d),
    )


@torch.no_grad()
def slice_batch_norm(norm: nn.Module, start: int, stop: int) -> nn.BatchNorm2d:
    """Batch norm in evaluation mode over the channels ``start`` to ``stop`` - 1 of ``norm``."""
    like = {'device': norm.running_mean.device, 'dtype': norm.running_mean.dtype}
    part = nn.BatchNorm2d(stop - start, eps=norm.eps, affine=norm.affine, **like)
    part.running_mean.copy_(norm.running_mean[start:stop])
    part.running_var.copy_(norm.running_var[start:stop])
    if norm.affine:
        part.weight.copy_(norm.weight[start:stop])
        part.bias.copy_(norm.bias[start:stop])
    return part.eval()


def fold_norm(model: nn.Module) -> nn.Module:
    """Copy ``model`` into evaluation mode with batch norms folded wherever a block declares ``fold_norm()``.

    Args:
        model: any module; blocks without ``fold_norm()`` and norms other than batch norm are left as they are.

    Returns:
        The copy, whose outputs equal those of ``model.eval()`` within rounding. It is for inference alone:
        its state dict no longer fits the original's.
    """
    folded = copy.deepcopy(model).eval()
    for module in list(folded.modules()):
        if module is not folded and callable(getattr(module, 'fold_norm', None)):
            module.fold_norm()
    return folded
