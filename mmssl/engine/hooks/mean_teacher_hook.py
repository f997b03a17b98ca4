"""Keep the teacher of a semi-supervised or self-supervised model."""

import math

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict

from mmssl.engine.run_parts import main_model
from mmssl.errors import DataError
from mmssl.registry import HOOKS


@HOOKS.register_module()
class MeanTeacherHook(Hook):
    """Synchronise the teacher before training and update it after every real step of the optimiser (equation 2.16).

    What the average is, is said by the model's ``teacher``. A step that does not happen, because gradients are
    accumulated or mixed precision found one that is not finite, moves nothing. The teacher takes the student's weights
    when training starts, after initialisation, ``load_from`` and ``WeightTransferHook``, and again at the end of the
    model's ``burn_in``; a resumed run keeps the teacher of its checkpoint.

    Before each iteration it also tells the model the iteration and the seed of the run, by which masks are drawn, and
    before the first one it tells the teacher how many updates there will be, for a weight that rises until the end.

    mmdet's hook of that name never copies the buffers, not even at first, and updates after every iteration.

    Raises:
        DataError: the model has no student and teacher.
    """

    def __init__(self):
        self._resumed = False
        self._stepped = False

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Remember that the weights are those of a run that goes on."""
        self._resumed = self._resumed or bool(runner._resume)

    def before_train(self, runner) -> None:
        """Synchronise, unless resumed, and listen to the optimiser."""
        model = main_model(runner)
        for name in ('student', 'teacher'):
            if not hasattr(model, name):
                raise DataError(f'MeanTeacherHook: {type(model).__name__} has no {name}, expected student and teacher')
        if not self._resumed and runner.iter == 0:
            model.teacher.synchronize(model.student)
        wrapper = runner.optim_wrapper
        wrappers = list(wrapper.values()) if isinstance(wrapper, OptimWrapperDict) else [wrapper]
        accumulated = min(one._accumulative_counts for one in wrappers)
        model.teacher.plan(max(1, math.ceil((runner.max_iters - model.burn_in) / accumulated)))
        for one in wrappers:
            one.optimizer.register_step_post_hook(self._remember_step)

    def _remember_step(self, optimizer, args, kwargs) -> None:
        # torch's GradScaler calls a fused optimiser in any case, and tells it whether a gradient is not finite.
        overflow = getattr(optimizer, 'found_inf', None)
        self._stepped = self._stepped or overflow is None or not bool(overflow)

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Tell the model where training stands; end the burn-in."""
        model = main_model(runner)
        model.begin_iteration(runner.iter, runner.seed)
        if model.burn_in and runner.iter == model.burn_in:
            model.teacher.synchronize(model.student)
            runner.logger.info(f'MeanTeacherHook: burn-in of {model.burn_in} iterations done, the teacher starts')

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Update the teacher after a step."""
        model = main_model(runner)
        if self._stepped and runner.iter >= model.burn_in:
            model.teacher.update(model.student)
        self._stepped = False
