"""Refuse to go on with a run that is not the same one."""

from collections.abc import Sequence

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from mmssl.engine.run_parts import plain_model
from mmssl.engine.run_record import COMPARED, RECORD, changes, run_record
from mmssl.errors import DataError
from mmssl.registry import HOOKS

from .strict_load_hook import misfits


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Write into each checkpoint what the run depends on, and compare when it is resumed, on every rank.

    Compared are the number of processes, the batch size, the seed, the classes and the list of training samples, with
    all tensors of the model. mmengine warns of another seed and other classes, looks for the number of processes where
    it does not write it, and takes what fits of the weights (0.10.7). A run without a seed goes on with that of the
    checkpoint, also for the order of the images.

    What is allowed to change makes another run, that begins at the same iteration: images are in another order, and
    with other lengths of an epoch the iteration is counted anew from the share of the epochs that are done.

    Args:
        allowed: what may have changed: ``world_size``, ``batch_size``, ``seed``, ``classes``, ``data``.

    Raises:
        ValueError: another name in ``allowed``.
        DataError: on every rank: what changed that is not allowed, both values, and how to allow it.
    """

    priority = 'VERY_HIGH'

    def __init__(self, *, allowed: Sequence[str] = ()) -> None:
        unknown = sorted(set(allowed) - COMPARED.keys())
        if unknown:
            raise ValueError(f'ResumeCheckHook: allowed has {unknown}, expected some of {", ".join(COMPARED)}')
        self.allowed = tuple(allowed)
        self._record: dict | None = None

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compare, before anything of the checkpoint is taken over; weights that are loaded only are not looked at."""
        if not runner._resume:
            return
        wrong = misfits(plain_model(runner), checkpoint)
        if wrong:
            raise DataError(f'--resume {runner._load_from}: {wrong}; expected the checkpoint of this model')
        before = checkpoint.get(RECORD)
        if before is None:
            runner.logger.warning(
                f'ResumeCheckHook: {runner._load_from} does not say with what it was trained (no {RECORD!r} in it): '
                'whether data, classes, batch size, seed and number of processes are the same is not checked'
            )
            return
        if runner._randomness_cfg.get('seed') is None:
            runner._randomness_cfg.update(seed=before['seed'])
            runner.set_randomness(**runner._randomness_cfg)
        self._record = run_record(runner)
        found = changes(before, self._record)
        refused = {key: phrase for key, phrase in found.items() if key not in self.allowed}
        if refused:
            raise DataError(
                f'--resume {runner._load_from}: {", ".join(refused.values())} changed since it was written; '
                f'--allow-changes {" ".join(refused)} goes on all the same'
            )
        if found:
            runner.logger.warning(f'ResumeCheckHook: changed, as allowed: {", ".join(found.values())}')
        self._continue(runner, before)

    def before_train(self, runner) -> None:
        """Describe the run while it starts, rather than in its first checkpoint."""
        if self._record is None and is_main_process():
            self._record = run_record(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Write the description."""
        checkpoint[RECORD] = self._record or run_record(runner)

    def _continue(self, runner, before: dict) -> None:
        """Take over the order of the images, and the length of an epoch where it was another."""
        sampler = getattr(runner.train_dataloader.batch_sampler, 'sampler', None)
        if 'seed' not in self.allowed and before['sampler_seed'] is not None and hasattr(sampler, 'seed'):
            sampler.seed = before['sampler_seed']
            self._record['sampler_seed'] = before['sampler_seed']
        if hasattr(runner.train_loop, 'resumed_epoch_length'):
            runner.train_loop.resumed_epoch_length = before['epoch_length']
