"""Leave in time when a scheduler asks for it, with a checkpoint."""

import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.dist import barrier, get_world_size, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.optim import OptimWrapperDict

from mmssl.engine.rank_agreement import RankAgreement, largest_of_ranks
from mmssl.engine.signal_shield import SignalNote, shield_workers
from mmssl.registry import HOOKS

from .atomic_checkpoint_hook import AtomicCheckpointHook


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Write a checkpoint and leave after SIGTERM or SIGUSR1, with exit code 128 + number of the signal: 143 or 138.

    The checkpoint is written by the run's ``AtomicCheckpointHook`` after the iteration that is running, or on several
    ranks the one after it: a signal to any of them is told to the others beside the computation. With gradients that
    are accumulated it is the next iteration that ends with a step, so that nothing of them is lost. A validation is
    broken off after its running batch: the weights are those of the last iteration, and the loops of mmssl begin a
    resumed run with the validation that is due. On several ranks all end together, when the checkpoint is there.

    More signals change nothing. Workers of a DataLoader that the loops of mmssl start, or a validation, ignore those of
    others than their parent; mmengine's ``IterBasedTrainLoop`` starts its workers before any hook is called, and ends
    with an error when one of them gets the signal. What had the signals before has them back after the training, also
    after one that ends by an error. Before and after it they have their usual meaning.

    Without an ``AtomicCheckpointHook`` that writes to a local folder, and outside the main thread, the hook warns and
    does nothing.

    Args:
        signals: names of the signals that count.

    Raises:
        ValueError: a name that is no signal of this system.
        SystemExit: the run leaves.
    """

    priority = 'LOWEST'  # all other hooks have done their work of the iteration

    def __init__(self, *, signals: Sequence[str] = ('SIGTERM', 'SIGUSR1')) -> None:
        unknown = [name for name in signals if not hasattr(signal, name)]
        if unknown:
            raise ValueError(f'PreemptionHook: signals has {unknown}, expected names as SIGTERM')
        self._note = SignalNote([getattr(signal, name) for name in signals])
        self._saver: AtomicCheckpointHook | None = None
        self._listening = self._leaving = False
        self._unshield: list[Callable[[], None]] = []
        self._whole_step = True
        self._agreement = RankAgreement()
        self._val_batches: int | None = None

    def before_run(self, runner) -> None:
        """Listen while the loop of the training runs."""
        loop = runner._train_loop
        if loop is None or isinstance(loop, dict):
            return  # a test or a validation
        run = loop.run

        # The hosts tell hooks when a training ends, and nothing when an error ends it.
        def run_and_restore():
            try:
                return run()
            finally:
                del loop.run
                for unshield in self._unshield:
                    unshield()
                if not self._leaving:  # a process that leaves is not to be ended by a signal that comes late
                    self._note.restore()
                self._listening = False

        loop.run = run_and_restore

    def before_train(self, runner) -> None:
        """Find who saves, and listen."""
        saver = next((hook for hook in runner.hooks if isinstance(hook, AtomicCheckpointHook)), None)
        if saver is None or not saver.writes_locally:
            runner.logger.warning('PreemptionHook: no mmssl.AtomicCheckpointHook, a signal ends the run as ever')
            return
        if not self._note.listen():
            runner.logger.warning('PreemptionHook: not in the main thread, a signal ends the run as ever')
            return
        self._saver, self._listening, self._whole_step = saver, True, True
        loops = [loop for loop in (runner.train_loop, runner.val_loop) if loop is not None]
        self._unshield = [shield_workers(loop.dataloader, self._note.signals) for loop in loops]

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Leave if a rank was asked to."""
        if not self._listening:
            return
        self._whole_step = ends_with_a_step(runner.optim_wrapper)
        if self._whole_step:
            self._leave_if_agreed(runner, self._agree(), runner.epoch, runner.iter + 1)

    def before_val_epoch(self, runner) -> None:
        """Leave if a rank was asked to in the last iteration."""
        if not self._listening:
            return
        # Ranks may have other numbers of batches; all agree on as many as the one with the fewest has.
        if self._val_batches is None:
            self._val_batches = -largest_of_ranks(-len(runner.val_dataloader))
        if self._whole_step:
            self._leave_if_agreed(runner, self._agreement.answer(), runner.epoch, runner.iter)

    def after_val_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Leave if a rank was asked to; in the last batch, before the ranks gather what they have counted."""
        if not self._listening or not self._whole_step or batch_idx >= self._val_batches:
            return
        agreed = self._agree()
        if not agreed and batch_idx == self._val_batches - 1:
            agreed = self._agreement.answer()
        if agreed:
            _put_averages_back(runner)
        self._leave_if_agreed(runner, agreed, runner.epoch, runner.iter)

    def after_train(self, runner) -> None:
        """Take the last answer: a collective must not be left open."""
        self._agreement.answer()

    def _agree(self) -> int | None:
        """The signal that the ranks know of, on several ranks without what they learned since the last call."""
        if get_world_size() == 1:
            return self._note.first
        agreed = self._agreement.answer()
        self._agreement.ask(self._note.first)
        return agreed

    def _leave_if_agreed(self, runner, number: int | None, epoch: int, iteration: int) -> None:
        if not number:
            return
        self._agreement.answer()
        runner.logger.info(f'Saving checkpoint at {iteration} iterations')
        path = self._saver.save_now(runner, epoch, iteration)
        barrier()  # where one process ends, launchers end the others
        self._leaving = True
        if is_main_process():
            print(_last_words(number, iteration, path, runner.launcher), file=sys.stderr, flush=True)
        raise SystemExit(128 + number)


def ends_with_a_step(optim_wrapper) -> bool:
    """Whether no gradients are kept for a later iteration, called after an iteration."""
    wrappers = optim_wrapper.values() if isinstance(optim_wrapper, OptimWrapperDict) else [optim_wrapper]
    return all(wrapper.should_update() for wrapper in wrappers)


def _put_averages_back(runner) -> None:
    """Undo what mmengine's ``EMAHook`` exchanged for a validation: it exchanges again what is saved."""
    for hook in runner.hooks:
        if isinstance(hook, EMAHook) and getattr(hook, 'evaluate_on_ema', True):  # mmpretrain's has the option
            hook._swap_ema_parameters()


def _last_words(number: int, iteration: int, path: str | None, launcher: str) -> str:
    name = signal.Signals(number).name
    if path is None:
        return f'{name} after iteration {iteration}: the run leaves, and no checkpoint of its weights is written'
    told = f'{name} after iteration {iteration}: the run leaves, {path} is written'
    if Path(sys.argv[0]).name != 'train.py':
        return told
    if launcher != 'none' or any(word.startswith('--resume') for word in sys.argv):
        return f'{told}; the same command with --resume goes on'
    return f'{told}; python {shlex.join(sys.argv)} --resume goes on'
