"""Refuse a checkpoint that does not fill the model."""

from mmengine.hooks import Hook

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
        wanted = plain_model(runner).state_dict()
        stored = checkpoint.get('state_dict', checkpoint)
        stored = {key.removeprefix('module.'): value for key, value in stored.items()}
        problems = [
            f'{key} is missing'
            if key not in stored
            else f'{key} is {tuple(stored[key].shape)}, not {tuple(value.shape)}'
            for key, value in wanted.items()
            if key not in stored or stored[key].shape != value.shape
        ]
        if problems:
            raise DataError(
                f'{runner._load_from}: {len(wanted) - len(problems)} of {len(wanted)} tensors fit the model; '
                f'first that does not: {problems[0]}'
            )
