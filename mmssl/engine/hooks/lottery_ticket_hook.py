"""Prune weights before training, hold them at zero, and keep the point that later rounds go back to."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from mmengine.dist import broadcast, is_main_process
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from prettytable import PrettyTable
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel

from mmssl.engine.run_parts import plain_model
from mmssl.errors import DataError
from mmssl.pruning.criteria import needs_initial
from mmssl.pruning.holding import MaskHolder, apply_masks
from mmssl.pruning.masks import check_scope, check_sparsity
from mmssl.pruning.selection import select_weights
from mmssl.pruning.sparsity import ModelSparsity, measure_sparsity
from mmssl.pruning.ticket import RewindPoint, Ticket, find_masks
from mmssl.registry import HOOKS
from mmssl.tensor_file import read_state_dict, write_tensor_file

CHECKPOINT_KEY = 'lottery_ticket'
REWIND_FILE = 'rewind.pth'


@HOOKS.register_module()
class LotteryTicketHook(Hook):
    """Train a sparse network, or record what a lottery ticket needs while a dense one trains.

    Source: S0, section 2.6 and tables 5.7 and 5.8; Frankle and Carbin, The lottery ticket hypothesis (2018). One of:

    - ``sparsity``: prune the weights that the model has when training starts, after a transfer (table 5.7,
      Cityscapes-Rotation-lotto-0.5).
    - ``ticket``: take masks and rewind weights of a round from a file of ``tools/lottery_ticket.py``. The model gets
      the stored weights, bit for bit, and zeros elsewhere.
    - ``rewind_iter`` alone: train densely. With ``sparsity`` it may stand too.

    It runs in ``before_train``, behind ``WeightTransferHook`` (whose priority is ``VERY_HIGH``) and before hooks that
    copy the model to a teacher. :class:`~mmssl.pruning.holding.MaskHolder` then holds the zeros after every step of the
    optimiser, so that an averaged model (``EMAHook``) averages zeros; its copy is pruned at the start too. Rank 0 makes
    the masks and the others receive them. A checkpoint carries masks and rewind weights; a resumed run takes them from
    there and prunes nothing a second time. Each checkpoint is preceded by a look at the zeros.

    Rewinding restores weights and buffers; optimiser and schedules start anew with the run.

    Args:
        sparsity: share of pruned weights, in [0, 1).
        ticket: file with masks and rewind weights.
        rewind_iter: store the weights after this many iterations as ``rewind.pth`` in the work dir: 0 before the first
            (and before ``sparsity`` prunes), where Frankle and Carbin rewind to.
        modules: shell patterns of modules; weights of convolutions and linear layers in them may be pruned.
        scope: ``'layer'`` prunes each layer to ``sparsity``, ``'global'`` all of them together.
        criterion: which weights go, see :mod:`mmssl.pruning.criteria`.
        initial: checkpoint with the weights before training, for a criterion that compares with them.

    Raises:
        ValueError: options that are unknown, out of range or exclude each other.
        DataError: a pattern that matches nothing; a sharded model; a file or a checkpoint that does not fit the model
            or these options; nothing is changed then.
        RuntimeError: a pruned weight is not zero when a checkpoint is written.
    """

    priority = 'HIGH'

    def __init__(
        self,
        *,
        sparsity: float | None = None,
        ticket: str | None = None,
        rewind_iter: int | None = None,
        modules: str | Sequence[str] = 'backbone',
        scope: str = 'layer',
        criterion: str = 'large_final',
        initial: str | None = None,
    ):
        if sparsity is None and ticket is None and rewind_iter is None:
            raise ValueError('LotteryTicketHook: none of sparsity, ticket, rewind_iter found, one expected')
        if ticket is not None and (sparsity is not None or rewind_iter is not None):
            raise ValueError('LotteryTicketHook: sparsity or rewind_iter found beside ticket, which replaces both')
        if rewind_iter is not None and (type(rewind_iter) is not int or rewind_iter < 0):
            raise ValueError(f'LotteryTicketHook: rewind_iter: {rewind_iter!r} found, a whole number from 0 expected')
        if sparsity is None and (scope, criterion, initial) != ('layer', 'large_final', None):
            raise ValueError('LotteryTicketHook: scope, criterion and initial need sparsity')
        if ticket is not None and modules != 'backbone':
            raise ValueError('LotteryTicketHook: modules found, but a ticket names its weights')
        if sparsity is not None:
            check_sparsity(sparsity, 'LotteryTicketHook: sparsity')
        check_scope(scope)
        if needs_initial(criterion) and initial is None:
            raise ValueError(f'LotteryTicketHook: criterion {criterion!r} needs initial, a checkpoint')
        if initial is not None and not needs_initial(criterion):
            raise ValueError(f'LotteryTicketHook: initial found, but criterion {criterion!r} does not look at it')
        self.ticket = ticket
        self.initial = initial
        self.rewind_iter = rewind_iter
        self.settings = {
            'kind': 'sparse' if sparsity is not None else 'dense' if ticket is None else 'ticket',
            'sparsity': sparsity,
            'rewind_iter': rewind_iter,
            'modules': [modules] if isinstance(modules, str) else list(modules),
            'scope': scope,
            'criterion': criterion,
        }
        self.masks: dict[str, Tensor] = {}
        self.rewind: RewindPoint | None = None
        self._holder: MaskHolder | None = None
        self._resumed: str | None = None
        self._stored: dict | None = None

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep what a resumed run goes on with."""
        if runner._resume:
            self._resumed = f'checkpoint {runner._load_from or runner.work_dir}'
            self._stored = checkpoint.get(CHECKPOINT_KEY)

    def before_train(self, runner) -> None:
        """Prune, or restore the masks of a resumed run, and hold them from here on."""
        model = plain_model(runner)
        if any(isinstance(module, FullyShardedDataParallel) for module in runner.model.modules()):
            raise DataError('LotteryTicketHook: the model is sharded (FSDP), one process or DDP expected')
        if self.rewind_iter is not None and self.rewind_iter > runner.max_iters:
            found = f'rewind_iter: {self.rewind_iter} found, at most {runner.max_iters} expected'
            raise DataError(f'LotteryTicketHook: {found}, the iterations of the training')
        names = [] if self.settings['kind'] == 'ticket' else select_weights(model, self.settings['modules'])
        if self._resumed is not None:
            self._restore(runner, model)
        elif self.settings['kind'] == 'ticket':
            self._rewind(model)
        else:
            if self.rewind_iter == 0:
                self._record(runner, model, 0)
            if self.settings['kind'] == 'sparse':
                self._prune(model, names)
        self._holder = MaskHolder(model, self.masks, 'LotteryTicketHook')
        self._holder.apply()
        for average in _averages(runner):
            apply_masks(average, self.masks)
        self._holder.attach(_optimizers(runner.optim_wrapper))
        self._log(runner, model)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Store the early weights when their iteration has come."""
        if self.rewind_iter and runner.iter + 1 == self.rewind_iter:
            self._record(runner, plain_model(runner), self.rewind_iter)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Look at the zeros, then add masks and rewind weights to the checkpoint."""
        averages = [MaskHolder(average, self.masks) for average in _averages(runner)]
        for holder in [self._holder, *averages]:
            for name, count in holder.revived().items() if holder else ():
                raise RuntimeError(
                    f'LotteryTicketHook: {count} pruned weights of {name} are not zero at iteration {runner.iter + 1}; '
                    'something other than the optimiser changed them'
                )
        checkpoint[CHECKPOINT_KEY] = Ticket(self.masks, self.rewind, self.settings).to_plain()

    def after_train(self, runner) -> None:
        """Let the optimiser go."""
        self._holder.detach()

    def _prune(self, model: nn.Module, names: list[str]) -> None:
        parameters = dict(model.named_parameters())
        final = {name: parameters[name].detach() for name in names}
        initial = read_state_dict(self.initial, 'LotteryTicketHook: initial') if self.initial else None
        options = {key: self.settings[key] for key in ('criterion', 'scope')}
        masks = find_masks(final, self.settings['sparsity'], initial=initial, **options)
        joined = torch.cat([mask.flatten() for mask in masks.values()]).to(torch.uint8)
        broadcast(joined, src=0)
        parts = joined.bool().cpu().split([mask.numel() for mask in masks.values()])
        self.masks = {n: part.view(masks[n].shape).clone() for n, part in zip(masks, parts, strict=True)}

    def _rewind(self, model: nn.Module) -> None:
        ticket = Ticket.load(self.ticket)
        if ticket.rewind is None:
            raise DataError(f'ticket {self.ticket}: no rewind weights in it')
        ticket.rewind.check(model, f'ticket {self.ticket}')
        MaskHolder(model, ticket.masks, f'ticket {self.ticket}')  # checked before anything is changed
        model.load_state_dict(ticket.rewind.state_dict)
        self.masks, self.rewind = ticket.masks, ticket.rewind if is_main_process() else None

    def _restore(self, runner, model: nn.Module) -> None:
        where = self._resumed
        if self._stored is None:
            raise DataError(f'{where}: no masks of LotteryTicketHook to resume with; load_from starts anew from it')
        stored, self._stored = Ticket.from_plain(self._stored, where), None
        for key, value in self.settings.items():
            if stored.settings.get(key) != value:
                found = f'{key}={value!r} found, but the checkpoint was made with {stored.settings.get(key)!r}'
                raise DataError(f'{where}: LotteryTicketHook: {found}')
        self.masks, self.rewind = stored.masks, stored.rewind if is_main_process() else None
        if self.rewind is not None and self.rewind_iter is not None and not self._rewind_path(runner).exists():
            self._write_rewind(runner, model)

    def _record(self, runner, model: nn.Module, iteration: int) -> None:
        if is_main_process():
            self.rewind = RewindPoint.of(model, iteration)
            self._write_rewind(runner, model)

    def _write_rewind(self, runner, model: nn.Module) -> None:
        """Write the rewind point as a checkpoint, with what the rounds ask for."""
        meta = {
            'rewind_iter': self.rewind.iteration,
            'prunable': select_weights(model, self.settings['modules']),
            'parameters': [name for name, _ in model.named_parameters()],
        }
        path = self._rewind_path(runner)
        write_tensor_file({'meta': meta, 'state_dict': self.rewind.state_dict}, path)
        runner.logger.info(f'Weights of iteration {self.rewind.iteration} written to {path}')

    @staticmethod
    def _rewind_path(runner) -> Path:
        return Path(runner.work_dir) / REWIND_FILE

    def _log(self, runner, model: nn.Module) -> None:
        if not self.masks:
            runner.logger.info('LotteryTicketHook: dense training, nothing is pruned')
            return
        table = sparsity_table(measure_sparsity(model), self.masks)
        runner.logger.info(f'LotteryTicketHook: weights at the start of training\n{table}')
        dead = [name for name, mask in self.masks.items() if not mask.any()]
        if dead:
            runner.logger.warning(f'LotteryTicketHook: no weight is left in {len(dead)} layers: {", ".join(dead)}')


def sparsity_table(measured: ModelSparsity, masks: dict[str, Tensor]) -> str:
    """Lay out the layers that have masks, and the sums over them and over the model."""
    table = PrettyTable(['weight', 'weights', 'zero', 'sparsity'])
    table.align = 'r'
    table.align['weight'] = 'l'
    rows = [row for row in measured.layers if row.name in masks]
    for row in rows:
        table.add_row([row.name, f'{row.weights:,}', f'{row.zeros:,}', f'{row.sparsity:.2%}'])
    weights, zeros = sum(row.weights for row in rows), sum(row.zeros for row in rows)
    table.add_row(['these layers', f'{weights:,}', f'{zeros:,}', f'{zeros / max(1, weights):.2%}'])
    zeros = measured.parameters - measured.nonzero
    share = zeros / max(1, measured.parameters)
    table.add_row(['all parameters', f'{measured.parameters:,}', f'{zeros:,}', f'{share:.2%}'])
    return table.get_string()


def _averages(runner) -> Iterator[nn.Module]:
    """The averaged copies that hooks such as ``EMAHook`` keep."""
    for hook in runner.hooks:
        average = getattr(hook, 'ema_model', None)
        if isinstance(average, nn.Module):
            yield getattr(average, 'module', average)


def _optimizers(wrapper) -> list[torch.optim.Optimizer]:
    if isinstance(wrapper, OptimWrapperDict):
        return [each.optimizer for each in wrapper.optim_wrappers.values()]
    return [wrapper.optimizer]
