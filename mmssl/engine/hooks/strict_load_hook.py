"""Refuse a checkpoint that does not fill the model."""

from mmengine.hooks import Hook
from torch import nn

from mmssl.engine.run_parts import plain_model
from mmssl.errors import DataError
from mmssl.registry import HOOKS


@HOOKS.register_module()
class StrictLoadHook(Hook):
    """Raise, on every rank, unless the checkpoint holds every tensor of the model in its shape.

    mmengine logs a warning for missing keys and for other shapes, and goes on with random weights (0.10.7).

    Raises:
        DataError: with the number of tensors that fit and the first that does not.
    """

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compare the checkpoint with the model before anything is copied."""
        wrong = misfits(plain_model(runner), checkpoint)
        if wrong:
            raise DataError(f'{runner._load_from}: {wrong}')


def misfits(model: nn.Module, checkpoint: dict) -> str | None:
    """Whether a checkpoint holds every tensor of a model in its shape.

    Args:
        model: not wrapped.
        checkpoint: with a ``state_dict``, or one itself.

    Returns:
        None, or how many tensors fit and the first that does not.
    """
    wanted = model.state_dict()
    stored = checkpoint.get('state_dict', checkpoint)
    stored = {key.removeprefix('module.'): value for key, value in stored.items()}
    problems = [
        f'{key} is missing' if key not in stored else f'{key} is {tuple(stored[key].shape)}, not {tuple(value.shape)}'
        for key, value in wanted.items()
        if key not in stored or stored[key].shape != value.shape
    ]
    if not problems:
        return None
    fitting = len(wanted) - len(problems)
    return f'{fitting} of {len(wanted)} tensors fit the model; first that does not: {problems[0]}'
