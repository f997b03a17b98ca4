"""Checkpoints that survive a kill, a full disk and a folder that moves."""

import functools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log

from mmssl.atomic_file import remove_partial_files
from mmssl.background import Background, finish_background_work
from mmssl.checkpoint_pointer import POINTER, tell_newest, write_pointer
from mmssl.errors import DataError, one_line
from mmssl.pending_files import PendingFiles
from mmssl.registry import HOOKS

from ..atomic_backend import ATOMIC
from ..rank_agreement import largest_of_ranks
from ..streamed_saving import streamed_saving

INTERIM = 'interim_ckpt'
"""Where the message hub, and with it each checkpoint, keeps the name of the one that ``save_now`` wrote."""


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, with these differences.

    mmengine (0.10.7) removes the oldest checkpoint before it writes the new one, writes it in place, and points to it
    by the path of that day. Here a checkpoint and its pointer ``last_checkpoint`` are written beside their places,
    flushed to the disk and moved there; what is old goes after that, so that at no moment there is none; the pointer
    is relative to its folder, so that the folder can be moved; and what killed runs left half written is removed at
    the start. Where a checkpoint cannot be written, the run ends with one line, and the one before it is untouched.
    A checkpoint is not written while a hook with a method ``reason_against_saving(runner)`` gives one, as
    ``NonFiniteLossHook`` does; what is there stays, also what would go for it.

    The training goes on as soon as a checkpoint is written beside its place. The disk is waited for in the background,
    by the next checkpoint and by the end of the training.

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
        self._placing: Background | None = None
        self._placed: Sequence[Path] = ()

    @property
    def writes_locally(self) -> bool:
        """Whether checkpoints are written in the way described above, which :meth:`save_now` needs."""
        return self._atomic

    def before_train(self, runner) -> None:
        """Also remove what was left half written."""
        super().before_train(runner)
        if self._atomic and is_main_process():
            finish_background_work()  # of a run before this one in the same process
            left = remove_partial_files(self.out_dir, '*.pth') + remove_partial_files(runner.work_dir, POINTER)
            if left:
                runner.logger.warning(f'AtomicCheckpointHook: {len(left)} files of a killed run, half written: removed')

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """End the run if the disk has not taken the last checkpoint; save if one is due."""
        if self._placing is not None and self._placing.failed:
            self._finish(runner)
        super().after_train_iter(runner, batch_idx, data_batch, outputs)

    def after_train(self, runner) -> None:
        """Wait until the last checkpoint is in its place."""
        self._finish(runner)
        super().after_train(runner)

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
        self._finish(runner)
        path = self.file_backend.join_path(self.out_dir, name)
        last = Path(runner.message_hub.runtime_info.get('last_ckpt') or '').name
        # All ranks ask the main one: they may not see its disk.
        if name == last and not largest_of_ranks(is_main_process() and not self.file_backend.isfile(path)):
            if is_main_process():
                write_pointer(runner.work_dir, path)
            return path
        if self._held_back(runner, iteration):
            return None
        with self._saving(runner):
            self._remove_interim(runner)
            runner.message_hub.update_info(INTERIM, name)
            self._write(runner, name, {'epoch': epoch, 'iter': iteration})
        self._finish(runner)
        return self.last_ckpt

    def _save_checkpoint(self, runner) -> None:
        with self._saving(runner):
            super()._save_checkpoint(runner)

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        if not self.save_best or self._held_back(runner, runner.iter):
            return
        with self._saving(runner):
            super()._save_best_checkpoint(runner, metrics)

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        if self._held_back(runner, meta['iter']):
            return
        if not self._atomic:
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        self._note_step(runner, step)
        self._remove_interim(runner)
        self._write(runner, self.filename_tmpl.format(step), meta)

    @contextmanager
    def _saving(self, runner) -> Iterator[None]:
        """Let checkpoints be written beside their places, then put them there in the background."""
        if not self._atomic:
            yield
            return
        self._finish(runner)
        files = PendingFiles()
        try:
            with streamed_saving(files), self.file_backend.noted_removals() as outdated:
                yield
        except BaseException as error:
            files.discard()
            if isinstance(error, OSError):
                raise _unwritten(files.paths, error, runner.work_dir) from None
            raise
        if files.paths:
            moving = functools.partial(place, files, runner.work_dir, self.last_ckpt, outdated)
            self._placing, self._placed = Background(moving), files.paths

    def _finish(self, runner) -> None:
        """Wait until what was written is in its place."""
        placing, self._placing = self._placing, None
        if placing is not None:
            try:
                placing.wait()
            except OSError as error:
                raise _unwritten(self._placed, error, runner.work_dir) from None

    def _write(self, runner, name: str, meta: dict) -> None:
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
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

    def _note_step(self, runner, step: int) -> None:
        """Count a step among those that are kept, and remove the one that goes for it."""
        if self.max_keep_ckpts > 0 and not (self.keep_ckpt_ids and self.keep_ckpt_ids[-1] == step):
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                self._remove(self.filename_tmpl.format(self.keep_ckpt_ids.popleft()))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    def _remove_interim(self, runner) -> None:
        """Remove the checkpoint of ``save_now``, which goes for the next one."""
        name = runner.message_hub.runtime_info.pop(INTERIM, None)
        if name is not None:
            self._remove(name)

    def _remove(self, name: str) -> None:
        self.file_backend.remove(self.file_backend.join_path(self.out_dir, name))

    def _held_back(self, runner, iteration: int) -> bool:
        """Ask all hooks, on all ranks, whether there is a reason against a checkpoint, and tell it."""
        asked = [hook for hook in runner.hooks if hasattr(hook, 'reason_against_saving')]
        reasons = [reason for hook in asked if (reason := hook.reason_against_saving(runner))]
        if reasons:
            runner.logger.warning(f'AtomicCheckpointHook: no checkpoint at iteration {iteration}: {"; ".join(reasons)}')
        return bool(reasons)


def place(files: PendingFiles, work_dir: str, newest: str | None, outdated: Sequence[Path]) -> None:
    """Put checkpoints in their places, point to the newest if it is one of them, and remove what is outdated."""
    try:
        files.settle()
        if newest is not None and Path(newest) in files.paths:
            write_pointer(work_dir, newest)
    except OSError as error:
        # The training may end by another error before it meets this one.
        print_log(f'{files.paths[-1]}: not written, {one_line(error)}', logger='current', level=logging.ERROR)
        raise
    written = {path.resolve() for path in files.paths}
    for path in outdated:
        if path.resolve() not in written:
            path.unlink(missing_ok=True)


def _unwritten(paths: Sequence[Path], error: OSError, work_dir: str) -> DataError:
    # an error of a hook before the first file has no path
    what = f'{paths[-1]}: the checkpoint' if paths else f'{work_dir}: a checkpoint'
    return DataError(f'{what} cannot be written, {one_line(error)}; {tell_newest(work_dir)}')
