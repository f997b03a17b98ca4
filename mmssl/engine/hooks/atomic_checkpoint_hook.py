"""Checkpoints that survive a kill, a full disk and a folder that moves."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook

from mmssl.atomic_file import remove_partial_files
from mmssl.checkpoint_pointer import POINTER, write_pointer
from mmssl.errors import DataError, one_line
from mmssl.registry import HOOKS

from ..atomic_backend import ATOMIC
from ..rank_agreement import largest_of_ranks
from ..streamed_saving import streamed_saving

INTERIM = 'interim_ckpt'
"""Where the message hub, and with it each checkpoint, keeps the name of the one that ``save_now`` wrote."""


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, with five differences.

    mmengine (0.10.7) removes the oldest checkpoint before it writes the new one, writes it in place, and points to it
    by the path of that day. Here a checkpoint and its pointer ``last_checkpoint`` are written beside their places,
    flushed to the disk and moved there; what is old goes after that, so that at no moment there is none; the pointer
    is relative to its folder, so that the folder can be moved; and what killed runs left half written is removed at
    the start. Where a checkpoint cannot be written, the run ends with one line, and the one before it is untouched.
    A checkpoint is not written while a hook with a method ``reason_against_saving(runner)`` gives one, as
    ``NonFiniteLossHook`` does; what is there stays, also what would go for it.

    All arguments are those of ``CheckpointHook``. With ``backend_args``, or an ``out_dir`` with ``://``, checkpoints
    are written in mmengine's ways.

    Raises:
        DataError: a checkpoint could not be written: what and why, and where the newest whole one is.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        remote = '://' in str(self.out_dir or '')
        self._atomic = self.backend_args is None and self.file_client_args is None and not remote
        if self._atomic:
            self.backend_args = {'backend': ATOMIC}

    @property
    def writes_locally(self) -> bool:
        """Whether checkpoints are written in the way described above, which :meth:`save_now` needs."""
        return self._atomic

    def before_train(self, runner) -> None:
        """Also remove what was left half written."""
        super().before_train(runner)
        if self._atomic and is_main_process():
            left = remove_partial_files(self.out_dir, '*.pth') + remove_partial_files(runner.work_dir, POINTER)
            if left:
                runner.logger.warning(f'AtomicCheckpointHook: {len(left)} files of a killed run, half written: removed')

    def save_now(self, runner, epoch: int, iteration: int) -> str | None:
        """Write a checkpoint between the regular ones, on all ranks, for a run that leaves early.

        It has the name of a regular one; in the middle of an epoch of a hook that counts epochs that is
        ``iter_<iteration>.pth``. It does not count among ``max_keep_ckpts`` and goes when the next one is written, so
        that a resumed run ends with the checkpoints of one that never left. Nothing is written where the regular one
        of this moment is there.

        Args:
            runner: in the middle of a training, with no gradients that wait for a later step.
            epoch: number of finished epochs.
            iteration: number of finished iterations.

        Returns:
            Path of the checkpoint; None where a hook gave a reason against it.

        Raises:
            DataError: it could not be written.
        """
        if self.by_epoch and iteration != epoch * len(runner.train_dataloader):
            name = f'iter_{iteration}.pth'
        else:
            name = self.filename_tmpl.format(epoch if self.by_epoch else iteration)
        path = self.file_backend.join_path(self.out_dir, name)
        last = Path(runner.message_hub.runtime_info.get('last_ckpt') or '').name
        # All ranks ask the main one: they may not see its disk.
        if name == last and not largest_of_ranks(is_main_process() and not self.file_backend.isfile(path)):
            if is_main_process():
                write_pointer(runner.work_dir, path)
            return path
        if self._held_back(runner, iteration):
            return None
        outdated = self._take_interim(runner, but=name)
        runner.message_hub.update_info(INTERIM, name)
        self._write(runner, name, {'epoch': epoch, 'iter': iteration}, outdated)
        return self.last_ckpt

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        if self._held_back(runner, meta['iter']):
            return
        if not self._atomic:
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        name = self.filename_tmpl.format(step)
        outdated = [*self._note_step(runner, step), *self._take_interim(runner, but=name)]
        self._write(runner, name, meta, outdated)

    def _write(self, runner, name: str, meta: dict, outdated: Sequence[str]) -> None:
        """Write a checkpoint and the pointer to it, then remove what is outdated."""
        newest, self.last_ckpt = self.last_ckpt, self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        try:
            with streamed_saving():
                runner.save_checkpoint(
                    self.out_dir,
                    name,
                    save_optimizer=self.save_optimizer,
                    save_param_scheduler=self.save_param_scheduler,
                    meta=meta,
                    by_epoch=self.by_epoch,
                    backend_args=self.backend_args,
                    **self.args,
                )
            if is_main_process():
                write_pointer(runner.work_dir, self.last_ckpt)
        except OSError as error:
            raise _unwritten(self.last_ckpt, error, newest) from None
        if is_main_process():
            for path in outdated:
                if self.file_backend.isfile(path):
                    self.file_backend.remove(path)

    def _note_step(self, runner, step: int) -> Sequence[str]:
        """Count a step among those that are kept; returns the checkpoints that go for it."""
        outdated = []
        if self.max_keep_ckpts > 0 and not (self.keep_ckpt_ids and self.keep_ckpt_ids[-1] == step):
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                old = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
                outdated.append(self.file_backend.join_path(self.out_dir, old))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        return outdated

    def _take_interim(self, runner, but: str) -> Sequence[str]:
        """Forget the checkpoint of ``save_now``, which goes for the next one; returns it unless both have one name."""
        name = runner.message_hub.runtime_info.pop(INTERIM, None)
        return [] if name in (None, but) else [self.file_backend.join_path(self.out_dir, name)]

    def _held_back(self, runner, iteration: int) -> bool:
        """Ask all hooks, on all ranks, whether there is a reason against a checkpoint, and tell it."""
        asked = [hook for hook in runner.hooks if hasattr(hook, 'reason_against_saving')]
        reasons = [reason for hook in asked if (reason := hook.reason_against_saving(runner))]
        if reasons:
            runner.logger.warning(f'AtomicCheckpointHook: no checkpoint at iteration {iteration}: {"; ".join(reasons)}')
        return bool(reasons)

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        if self.save_best and self._held_back(runner, runner.iter):
            return
        if not self._atomic:
            super()._save_best_checkpoint(runner, metrics)
            return
        newest = self.last_ckpt
        self.file_backend.keep_removed()  # the parent removes the best one before it writes the better one
        try:
            with streamed_saving():
                super()._save_best_checkpoint(runner, metrics)
        except OSError as error:
            raise _unwritten(f'the best checkpoint in {self.out_dir}', error, newest) from None
        best = [getattr(self, 'best_ckpt_path', None), *(getattr(self, 'best_ckpt_path_dict', None) or {}).values()]
        self.file_backend.remove_kept(but=[path for path in best if path])


def _unwritten(path: str, error: OSError, newest: str | None) -> DataError:
    kept = f'the last one is {newest}' if newest else 'there is none yet'
    return DataError(f'{path}: the checkpoint cannot be written, {one_line(error)}; {kept}')
