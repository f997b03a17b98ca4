"""Checkpoints that survive a kill, a full disk and a folder that moves."""

from collections.abc import Sequence

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook

from mmssl.atomic_file import remove_partial_files
from mmssl.checkpoint_pointer import POINTER, write_pointer
from mmssl.errors import DataError, one_line
from mmssl.registry import HOOKS

from ..atomic_backend import ATOMIC


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, with four differences.

    mmengine (0.10.7) removes the oldest checkpoint before it writes the new one, writes it in place, and points to it
    by the path of that day. Here a checkpoint and its pointer ``last_checkpoint`` are written beside their places,
    flushed to the disk and moved there; what is old goes after that, so that at no moment there is none; the pointer
    is relative to its folder, so that the folder can be moved; and what killed runs left half written is removed at
    the start. Where a checkpoint cannot be written, the run ends with one line, and the one before it is untouched.

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

    def before_train(self, runner) -> None:
        """Also remove what was left half written."""
        super().before_train(runner)
        if self._atomic and is_main_process():
            left = remove_partial_files(self.out_dir, '*.pth') + remove_partial_files(runner.work_dir, POINTER)
            if left:
                runner.logger.warning(f'AtomicCheckpointHook: {len(left)} files of a killed run, half written: removed')

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        if not self._atomic:
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        outdated = self._note_step(runner, step)
        name = self.filename_tmpl.format(step)
        newest, self.last_ckpt = self.last_ckpt, self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        try:
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

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        if not self._atomic:
            super()._save_best_checkpoint(runner, metrics)
            return
        newest = self.last_ckpt
        self.file_backend.keep_removed()  # the parent removes the best one before it writes the better one
        try:
            super()._save_best_checkpoint(runner, metrics)
        except OSError as error:
            raise _unwritten(f'the best checkpoint in {self.out_dir}', error, newest) from None
        best = [getattr(self, 'best_ckpt_path', None), *(getattr(self, 'best_ckpt_path_dict', None) or {}).values()]
        self.file_backend.remove_kept(but=[path for path in best if path])


def _unwritten(path: str, error: OSError, newest: str | None) -> DataError:
    kept = f'the last one is {newest}' if newest else 'there is none yet'
    return DataError(f'{path}: the checkpoint cannot be written, {one_line(error)}; {kept}')
