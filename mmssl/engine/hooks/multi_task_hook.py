"""Tell a model of several tasks where training stands."""

from mmengine.hooks import Hook

from mmssl.engine.run_parts import plain_model
from mmssl.errors import DataError
from mmssl.models.segmentors.multi_task import MultiTaskSegmentor
from mmssl.registry import HOOKS


@HOOKS.register_module()
class MultiTaskHook(Hook):
    """Tell ``mmssl.MultiTaskSegmentor`` the iteration, by which weights change and gradients are looked at.

    Raises:
        DataError: another model.
    """

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Hand over the iteration and the seed of the run."""
        model = plain_model(runner)
        if not isinstance(model, MultiTaskSegmentor):
            raise DataError(f'MultiTaskHook: {type(model).__name__} found, expected mmssl.MultiTaskSegmentor')
        model.begin_iteration(runner.iter, runner.seed)
