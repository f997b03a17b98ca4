"""Pruned weights held at zero while an optimiser trains the others."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mmssl.errors import DataError


def match_masks(model: nn.Module, masks: Mapping[str, Tensor], where: str = 'masks') -> dict[str, nn.Parameter]:
    """Find the parameter of each mask.

    Args:
        model: without a wrapper for several processes.
        masks: parameter name to bool mask.
        where: file or origin, for the message.

    Returns:
        Parameter name to parameter, in the order of the masks.

    Raises:
        DataError: a name is not in the model, or its shape is another.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for name, mask in masks.items():
        if name not in parameters:
            raise DataError(f'{where}: {name} is pruned but not in {type(model).__name__}')
        if parameters[name].shape != mask.shape:
            shapes = f'{tuple(mask.shape)} found, {tuple(parameters[name].shape)} expected'
            raise DataError(f'{where}: the mask of {name} has another shape, {shapes}')
    return {name: parameters[name] for name in masks}


@torch.no_grad()
def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the pruned weights of a model to zero, others are not touched.

    Args:
        model: without a wrapper for several processes.
        masks: parameter name to bool mask, True where the weight is kept.

    Raises:
        DataError: names or shapes that do not fit, before anything is changed.
    """
    for name, parameter in match_masks(model, masks).items():
        parameter.masked_fill_(~masks[name].to(parameter.device), 0)


class MaskHolder:
    """Keep the pruned weights of a model at zero, in every forward pass.

    Two things hold them. After each step of an optimiser the pruned weights are set to zero again, by torch's step post
    hook: it fires with every real step, so under gradient accumulation, loss scaling (a skipped step changes nothing)
    and several steps in one iteration, before anything else sees the weights; momentum, Adam's moments and weight decay
    cannot revive them. And their gradients are zero, so that clipping by norm and layer-wise rates (LARS) see the
    network that is trained, without the pruned weights; also of parameters that are frozen now and trained later.

    Args:
        model: without a wrapper for several processes.
        masks: parameter name to bool mask, True where the weight is kept.
        where: file or origin of the masks, for messages.

    Raises:
        DataError: names or shapes that do not fit.
    """

    def __init__(self, model: nn.Module, masks: Mapping[str, Tensor], where: str = 'masks'):
        self._parameters = match_masks(model, masks, where)
        # On the device of the weights: the masks are used at every step.
        self._pruned = {name: ~masks[name].to(parameter.device) for name, parameter in self._parameters.items()}
        self._handles = []

    @torch.no_grad()
    def apply(self) -> None:
        """Set the pruned weights to zero; not-a-number does not survive either."""
        for name, parameter in self._parameters.items():
            parameter.masked_fill_(self._pruned[name], 0)

    def attach(self, optimizers: Iterable[Optimizer]) -> None:
        """Hold the masks through the steps of these optimisers, until :meth:`detach`."""
        self.detach()
        for name, parameter in self._parameters.items():
            trained = parameter.requires_grad
            # torch refuses a hook on a frozen parameter and keeps one that was put there before.
            parameter.requires_grad_(True)
            hook = _gradient_mask(self._pruned[name])
            self._handles.append(parameter.register_hook(hook))
            parameter.requires_grad_(trained)
        for optimizer in optimizers:
            self._handles.append(optimizer.register_step_post_hook(lambda *_: self.apply()))

    def detach(self) -> None:
        """Let go."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    @torch.no_grad()
    def revived(self) -> dict[str, int]:
        """Count pruned weights that are not zero: name to number, for the weights that have some."""
        counts = {
            name: parameter.masked_fill(~self._pruned[name], 0).count_nonzero()
            for name, parameter in self._parameters.items()
        }
        if not counts:
            return {}
        numbers = torch.stack([count.cpu() for count in counts.values()]).tolist()
        return {name: number for name, number in zip(counts, numbers, strict=True) if number}


def _gradient_mask(pruned: Tensor):
    return lambda gradient: gradient.masked_fill(pruned, 0)
