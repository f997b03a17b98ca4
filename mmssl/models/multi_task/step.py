"""The losses of all tasks on one batch, in one graph or in one after the other."""

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmssl.errors import DataError

from .gradient_conflict import conflict, flat
from .norms_by_task import norms_by_task, statistics_kept
from .sequential_loss import sequential_loss
from .shared_encoder import maps_made_ahead

SEGMENTATION = 'segmentation'
Maps = Sequence[Tensor]
CHECK_INTERVAL = 20
"""Iterations from one look at whether losses are finite to the next on an accelerator, which has to be waited for."""


class MultiTaskStep:
    """One step of a :class:`~mmssl.models.segmentors.multi_task.MultiTaskSegmentor`; nothing of it outlives the step.

    Args:
        model: the segmentor with its tasks, balance and options.
        inputs: of each task by name.
        data_samples: likewise.
    """

    def __init__(self, model, inputs: dict, data_samples: dict):
        self.model, self.inputs, self.data_samples = model, inputs, data_samples
        self.weights = {SEGMENTATION: 1.0, **{name: each(model.iteration) for name, each in model.schedules.items()}}
        self.names = [name for name, weight in self.weights.items() if weight > 0]
        self.logs: dict[str, Tensor] = {}
        self.gradients: dict[str, Tensor] = {}
        self.shared = [each for each in model.encoder.parameters() if each.requires_grad]
        self.probes = bool(model.probe_interval) and model.iteration % model.probe_interval == 0
        moving = model.balance is not None and model.balance.needs_gradients
        self.moves = moving and model.iteration % model.balance.interval == 0 and len(self.names) == len(self.weights)

    def joint(self) -> dict[str, Tensor]:
        """One graph: images of one size pass the encoder together."""
        made = self._made_ahead(self.names)
        weighted = {name: self._weigh(name, self._loss(name, made)) for name in self.names}
        if self.probes or self.moves:
            for name, loss in weighted.items():
                gradients = torch.autograd.grad(loss, self.shared, retain_graph=True, allow_unused=True)
                self.gradients[name] = flat(gradients, self.shared)
        return self._finish(torch.stack(list(weighted.values())).sum())

    def sequential(self) -> dict[str, Tensor]:
        """One graph after the other, each freed before the next."""
        parameters = [each for each in self.model.parameters() if each.requires_grad]
        shared = {id(each) for each in self.shared}
        places = [index for index, each in enumerate(parameters) if id(each) in shared]

        def watch(number: int, gradients: Sequence[Tensor | None]) -> None:
            if self.probes or self.moves:
                own = [gradients[index] for index in places]
                self.gradients[self.names[number]] = flat(own, [parameters[index] for index in places])

        makers = [
            lambda name=name: self._weigh(name, self._loss(name, self._made_ahead([name]))) for name in self.names
        ]
        total, _ = sequential_loss(makers, parameters, watch)
        return self._finish(total)

    def _loss(self, name: str, made: list[tuple[Tensor, Maps]]) -> Tensor:
        """The unweighted loss of a task, and what else its model tells, which is logged."""
        model, tracked = self.model.model_of(name), [self._tracked(name)]
        # A model with views, or with labelled and mixed images, calls the encoder itself.
        with maps_made_ahead(
            self.model.encoder, made, lambda forward, images: self._pass(forward, images, None, tracked)
        ):
            losses = model.loss(self.inputs[name], self.data_samples[name])
        loss, told = model.parse_losses(losses)
        self.logs[f'{name}.unweighted'] = loss.detach()
        self.logs |= {f'{name}.{key}': value.detach() for key, value in _without_loss(told).items()}
        return loss

    def _weigh(self, name: str, loss: Tensor) -> Tensor:
        if self.model.balance is not None:
            loss = self.model.balance(name, loss)
        loss = self.weights[name] * loss
        self.logs[f'{name}.weighted'] = loss.detach()
        return loss

    def _tracked(self, name: str) -> bool:
        return name == SEGMENTATION or self.model.norm_statistics == 'joint'

    def _made_ahead(self, names: Sequence[str]) -> list[tuple[Tensor, Maps]]:
        """Images and maps of the tasks whose images are one tensor each."""
        tensors = {name: self.inputs[name] for name in names if isinstance(self.inputs[name], Tensor)}
        made = []
        for group in self._groups(tensors):
            made += zip((tensors[name] for name in group), self._encode(group), strict=True)
        return made

    def _groups(self, tensors: dict[str, Tensor]) -> list[list[str]]:
        """Tasks that pass together: of one size, in their order, up to ``max_images``; no task is split."""
        by_size: dict[tuple, list[str]] = {}
        for name, tensor in tensors.items():
            by_size.setdefault((tensor.dtype, *tensor.shape[1:]), []).append(name)
        groups: list[list[str]] = []
        for names in by_size.values():
            images = 0
            for number, name in enumerate(names):
                images += len(tensors[name])
                if number == 0 or (self.model.max_images is not None and images > self.model.max_images):
                    groups.append([])
                    images = len(tensors[name])
                groups[-1].append(name)
        return groups

    def _encode(self, names: Sequence[str]) -> list[Maps]:
        """Maps of each task, from one pass."""
        parts = [self.inputs[name] for name in names]
        sizes = [len(part) for part in parts]
        images = parts[0] if len(parts) == 1 else torch.cat(parts)
        tracked = [self._tracked(name) for name in names]
        apart = self.model.norm_statistics == 'task'
        maps = self._pass(self.model.encoder, images, sizes if apart else None, tracked if apart else tracked[:1])
        if len(parts) == 1:
            return [tuple(maps)]
        return list(zip(*(each.split(sizes) for each in maps), strict=True))

    def _pass(self, encoder: Callable, images: Tensor, sizes: list[int] | None, tracked: list[bool]) -> Maps:
        """One pass of the encoder; with checkpointing it is made again in the backward pass."""
        modules = list(self.model.encoder.modules())
        passes = 0

        def encode(images: Tensor) -> Maps:
            nonlocal passes
            passes += 1
            # Made again in the backward pass, the images have moved the running statistics already.
            with norms_by_task(self.model.encoder, sizes, tracked), statistics_kept(modules if passes > 1 else ()):
                return encoder(images)

        return checkpoint(encode, images, use_reentrant=False) if self.model.checkpointing else encode(images)

    def _finish(self, total: Tensor) -> dict[str, Tensor]:
        self._check_finite()
        if self.probes or self.moves:
            norms, cosines = conflict(self.gradients, SEGMENTATION)
            if self.probes:
                self.logs |= {f'{name}.grad_norm': norm for name, norm in norms.items()}
                self.logs |= {f'{name}.grad_cosine': cosine for name, cosine in cosines.items()}
            if self.moves:
                self._move_weights(norms)
        return {'loss': total, **self.logs}

    def _move_weights(self, norms: dict[str, Tensor]) -> None:
        """Tell the balance of the gradients of the losses as they are, without any weight."""
        balance = self.model.balance
        factors = {name: self.weights[name] * weight for name, weight in balance.weights().items()}
        plain = {name: norm / factors[name] for name, norm in norms.items()}
        balance.update(plain, {name: self.logs[f'{name}.unweighted'] for name in self.names})

    def _check_finite(self) -> None:
        values = torch.stack([self.logs[f'{name}.unweighted'] for name in self.names])
        if values.device.type != 'cpu' and self.model.iteration % CHECK_INTERVAL:
            return
        if not bool(values.isfinite().all()):
            found = ', '.join(
                f'{name}: {value}'
                for name, value in zip(self.names, values.tolist(), strict=True)
                if value - value != 0
            )
            raise DataError(f'loss that is not finite in iteration {self.model.iteration}: {found}')


def _without_loss(told: dict[str, Tensor]) -> dict[str, Tensor]:
    """What a model tells beside its loss, and the parts of that where there are several; no name has "loss" in it.

    What is named so would be added to the sum: ``loss_unlabeled`` becomes ``unlabeled``, ``decode.loss_ce``
    ``decode.ce``.
    """
    parts = {re.sub('_?loss_?', '', key): value for key, value in told.items() if 'loss' in key and key != 'loss'}
    others = {key: value for key, value in told.items() if 'loss' not in key}
    return {**(parts if len(parts) > 1 else {}), **others}
