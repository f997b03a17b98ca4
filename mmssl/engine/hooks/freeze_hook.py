"""Train a part of the model first, then all of it."""

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmssl.errors import DataError
from mmssl.registry import HOOKS
from mmssl.transfer.patterns import as_patterns
from mmssl.transfer.targets import TargetTensor, target_tensors, unwrapped_modules


@HOOKS.register_module()
class FreezeHook(Hook):
    """Hold the weights of some modules for the first epochs or iterations, then train everything.

    Source: S0, table 5.4: the transferred encoder is frozen while the decoder trains for 40 epochs, then all is
    trained for 150 more. A resumed run goes on in the stage that its checkpoint was in. Parameters that the model
    itself has frozen stay frozen.

    Frozen parameters get no gradient and are left alone by the optimiser, weight decay included.

    Args:
        modules: patterns of names in the model, as in a transfer rule: ``'backbone'``, ``'backbone.layers.*'``.
        epochs: how many epochs they are frozen. Either this or ``iters``.
        iters: how many iterations they are frozen.
        norm_eval: also keep frozen modules in evaluation mode, so that the statistics of their batch norms stay and
            their dropout is off. With False both behave as in training.

    Raises:
        ValueError: when not one of ``epochs`` and ``iters`` is a number from 1, ``epochs`` meets a loop that counts
            iterations, a pattern matches no parameter, nothing is left to train, or a distributed model is not told
            to look for unused parameters.
    """

    def __init__(
        self,
        *,
        modules: str | Sequence[str] = ('backbone',),
        epochs: int | None = None,
        iters: int | None = None,
        norm_eval: bool = True,
    ):
        given = [number for number in (epochs, iters) if number is not None]
        if len(given) != 1 or isinstance(given[0], bool) or not isinstance(given[0], int) or given[0] < 1:
            raise ValueError(f'FreezeHook: epochs={epochs!r}, iters={iters!r}, expected one of them, a number from 1')
        self.patterns = as_patterns(modules, 'FreezeHook: modules')
        self.epochs = epochs
        self.iters = iters
        self.norm_eval = norm_eval
        self._frozen: list[nn.Parameter] = []
        self._evaluated: list[nn.Module] = []

    def before_train(self, runner) -> None:
        """Freeze, unless the run was resumed behind that stage."""
        if self.epochs is not None and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                f'FreezeHook: epochs={self.epochs} with {type(runner.train_loop).__name__}, which counts iterations; '
                'expected iters'
            )
        chosen = self._chosen(target_tensors(runner.model))
        if self._is_over(runner):
            runner.logger.info('FreezeHook: the frozen stage is over, all parameters train')
            return
        self._check_wrappers(runner.model, chosen)
        frozen = {id(target.tensor) for target in chosen}
        if all(id(parameter) in frozen for parameter in runner.model.parameters() if parameter.requires_grad):
            names = ', '.join(pattern.text for pattern in self.patterns)
            raise DataError(f'FreezeHook: modules {names} freeze every parameter, expected some left to train')
        self._frozen = [target.tensor for target in chosen if target.tensor.requires_grad]
        for parameter in self._frozen:
            parameter.requires_grad_(False)
            parameter.grad = None
        self._evaluated = [
            module for name, module in unwrapped_modules(runner.model) if self.norm_eval and self._matches(name)
        ]
        stage = f'{self.epochs} epochs' if self.epochs is not None else f'{self.iters} iterations'
        runner.logger.info(f'FreezeHook: {self._numbers(runner.model)}, for the first {stage}')

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Thaw when the stage ends; until then undo the training mode that the loop sets after each validation."""
        if not self._frozen and not self._evaluated:
            return
        if self._is_over(runner):
            for parameter in self._frozen:
                parameter.requires_grad_(True)
            self._frozen, self._evaluated = [], []
            runner.model.train()
            runner.logger.info(f'FreezeHook: {self._numbers(runner.model)}, from iteration {runner.iter + 1} on')
            return
        for module in self._evaluated:
            module.training = False

    def _is_over(self, runner) -> bool:
        return runner.epoch >= self.epochs if self.epochs is not None else runner.iter >= self.iters

    def _matches(self, name: str) -> bool:
        return any(pattern.match(name) is not None for pattern in self.patterns)

    def _chosen(self, targets: Sequence[TargetTensor]) -> list[TargetTensor]:
        parameters = [target for target in targets if target.is_parameter]
        for pattern in self.patterns:
            if not any(pattern.match(target.name) is not None for target in parameters):
                parts = ', '.join(dict.fromkeys(target.name.split('.')[0] for target in parameters))
                raise DataError(f'FreezeHook: modules: {pattern.text!r} matches no parameter of the model ({parts})')
        return [target for target in parameters if self._matches(target.name)]

    def _check_wrappers(self, model: nn.Module, chosen: Sequence[TargetTensor]) -> None:
        """DistributedDataParallel waits for the gradient of every parameter that it was built with."""
        frozen = {id(target.tensor) for target in chosen}
        for module in model.modules():
            if not isinstance(module, DistributedDataParallel) or frozen.isdisjoint(map(id, module.parameters())):
                continue
            if module.static_graph or not module.find_unused_parameters:
                raise DataError(
                    f'FreezeHook: {type(module).__name__} has find_unused_parameters={module.find_unused_parameters}, '
                    f'static_graph={module.static_graph}, expected True and False: '
                    'set find_unused_parameters=True in the config'
                )

    def _numbers(self, model: nn.Module) -> str:
        frozen = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
        total = sum(parameter.numel() for parameter in model.parameters())
        return f'{frozen:,} parameters frozen, {total - frozen:,} train'
