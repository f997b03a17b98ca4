"""Stop a training whose loss is not finite, and keep what was good."""

import json
from pathlib import Path

from mmengine.dist import get_rank
from mmengine.hooks import Hook

from mmssl.atomic_file import write_atomically
from mmssl.checkpoint_pointer import tell_newest
from mmssl.engine.finite_values import image_paths, losses_not_finite, tensors_not_finite
from mmssl.engine.rank_agreement import RankAgreement, largest_of_ranks
from mmssl.engine.run_parts import plain_model
from mmssl.errors import DataError, one_line
from mmssl.registry import HOOKS


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop after some iterations in a row with a loss that is infinite or not a number, and save nothing in between.

    Mixed precision with a dynamic scale has infinite gradients now and then and leaves out the step; the loss itself is
    finite then, and where it is not, one iteration may still do no harm. So the training goes on until ``patience``,
    and from the first such iteration on no checkpoint is written by an ``AtomicCheckpointHook``, of the best score
    neither, until the loss is finite again: the last good one stays the newest, and none goes for a bad one. Before
    each checkpoint all weights and buffers are looked at too, as they may be spoilt when the last loss was finite;
    those that were not finite at the start are left out. mmengine's ``CheckpointHook`` cannot wait: there the training
    stops when it wants to save.

    The loss is read where mmengine has it for its log, so that nothing waits for an accelerator. On several ranks an
    iteration counts if the loss of any is not finite; they tell each other while the next iteration is computed, stop
    together at the end of it, and at once where a checkpoint is due.

    Args:
        patience: iterations in a row, from 1.
        debug_file: whether each rank that saw such a loss writes ``nonfinite_iter_<first of the row>.json`` into the
            work dir when the training stops (with ``_rank_<rank>`` for others than rank 0): of each iteration its
            number, the losses that were not finite, the learning rates and the images of the batch.

    Raises:
        ValueError: ``patience`` below 1.
        DataError: the training stops, on all ranks: the iteration, the loss terms, where the file and the last
            checkpoint are; or weights are not finite when a checkpoint is due, or the training ends within a row.
    """

    priority = 'LOW'  # the loss is in mmengine's log already; checkpoints come after

    def __init__(self, *, patience: int = 3, debug_file: bool = True) -> None:
        if patience < 1:
            raise ValueError(f'NonFiniteLossHook: patience={patience}, expected a whole number from 1')
        self.patience = patience
        self.debug_file = debug_file
        self._agreement = RankAgreement()
        self._row = 0
        self._asked = 0
        self._seen: list[dict] = []
        self._from_the_start: set[str] = set()

    def before_train(self, runner) -> None:
        """Note what is not finite from the start."""
        self._from_the_start = set(tensors_not_finite(plain_model(runner)))
        self._row, self._seen = 0, []

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Look at the losses of the step."""
        self._count(runner)  # the iteration before, of all ranks
        found = losses_not_finite(outputs or {}, runner.message_hub.log_scalars)
        self._asked = runner.iter + 1
        if found:
            self._seen.append(
                {
                    'iteration': self._asked,
                    'losses': {name: str(value) for name, value in found.items()},
                    'learning_rates': {name: rates[0] for name, rates in runner.optim_wrapper.get_lr().items()},
                    'images': image_paths(data_batch),
                }
            )
        self._agreement.ask(bool(found))
        if runner.world_size == 1:
            self._count(runner)

    def reason_against_saving(self, runner) -> str:
        """Why an ``AtomicCheckpointHook`` must not save now, empty if it may; called on all ranks.

        Raises:
            DataError: weights or buffers are not finite although the losses are.
        """
        self._count(runner)
        if self._row:
            return f'the loss is not finite{self._length_of_row()}'
        spoilt = [name for name in tensors_not_finite(plain_model(runner)) if name not in self._from_the_start]
        if largest_of_ranks(len(spoilt)):
            told = f'{len(spoilt)}, first {spoilt[0]}' if spoilt else 'on another rank'
            raise DataError(
                f'iteration {self._asked}: weights or buffers are not finite ({told}), though the loss is; '
                f'{tell_newest(runner.work_dir)}'
            )
        return ''

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Stop where a checkpoint would be written all the same."""
        self._count(runner)
        if self._row:
            self._stop(runner)

    def after_train(self, runner) -> None:
        """A training that ends within a row has not ended well."""
        self._count(runner)
        if self._row:
            self._stop(runner)

    def _count(self, runner) -> None:
        """Take what the ranks have told each other, if that is open."""
        answer = self._agreement.answer()
        if answer is None:
            return
        self._row = self._row + 1 if answer else 0
        # Of another rank's iteration this one may have seen nothing.
        self._seen = [one for one in self._seen if one['iteration'] > self._asked - self._row]
        if self._row == self.patience:
            self._stop(runner)

    def _length_of_row(self) -> str:
        return f', {self._row} iterations in a row' if self._row > 1 else ''

    def _stop(self, runner) -> None:
        seen = self._seen
        losses = {name: value for one in seen for name, value in one['losses'].items()}
        terms = sorted(losses, key=lambda name: name == 'loss')  # the sum comes last
        told = ', '.join(f'{name} {losses[name]}' for name in terms) or 'on another rank'
        file = self._write(runner, seen) if self.debug_file and seen else ''
        raise DataError(
            f'iteration {self._asked}: the loss is not finite{self._length_of_row()} ({told}), expected numbers; {file}'
            f'{tell_newest(runner.work_dir)}'
        )

    def _write(self, runner, seen: list[dict]) -> str:
        rank = f'_rank_{get_rank()}' if get_rank() else ''
        path = Path(runner.work_dir) / f'nonfinite_iter_{seen[0]["iteration"]}{rank}.json'
        try:
            write_atomically(path, json.dumps(seen, indent=1).encode())
        except OSError as error:  # told beside what it was about
            return f'{path} cannot be written, {one_line(error)}; '
        return f'{path} names the images; '
