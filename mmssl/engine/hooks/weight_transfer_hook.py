"""Start a training with weights of other runs."""

import os
from collections.abc import Callable, Sequence

from mmengine.dist import all_gather_object, broadcast
from mmengine.hooks import Hook
from torch.distributed.fsdp import FullyShardedDataParallel

from mmssl.download import fetch, is_address
from mmssl.errors import DataError, one_line
from mmssl.registry import HOOKS
from mmssl.transfer.apply import apply_transfer
from mmssl.transfer.plan import plan_transfer
from mmssl.transfer.report import missing_tensors, transfer_report
from mmssl.transfer.rule_work import TransferEntry
from mmssl.transfer.rules import parse_rules, rule_sources
from mmssl.transfer.sources import SourceCheckpoint, read_sources
from mmssl.transfer.targets import target_tensors


@HOOKS.register_module()
class WeightTransferHook(Hook):
    """Take weights of chosen modules, layers or filters from other checkpoints before training (S0, chapter 5).

    It runs once, after initialisation and ``load_from``, before hooks that copy the model (teachers, rewind
    snapshots), and not when a run is resumed. The whole transfer is planned before a weight is changed; an error on
    one rank is raised on all. The log gets a table of what was copied, reinitialised and skipped, with the SHA-256 of
    the files; checkpoints carry the files' names and SHA-256 in their message hub.

    mmengine's ``EMAHook`` copies the model before the transfer; its first update overwrites that copy with the
    trained weights, so that nothing of it is averaged.

    Args:
        rules: one dict a rule with the fields of :class:`mmssl.transfer.rules.TransferRule`, for example
            ``dict(source='work_dirs/rotation', modules='backbone')``.
        seed: of filters that are drawn.
        verbose: one row a tensor in the table.

    Raises:
        ValueError: on rules that are not as they should be.
        DataError: on every rank, when a source cannot be read or does not fit the model.
    """

    priority = 'VERY_HIGH'

    def __init__(self, *, rules: Sequence[dict], seed: int = 0, verbose: bool = False):
        try:
            self.rules = parse_rules(rules)
        except ValueError as error:
            raise ValueError(f'WeightTransferHook: {error}') from None
        self.seed = seed
        self.verbose = verbose
        self._resumed = False

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Remember that the weights are those of a run that goes on."""
        self._resumed = self._resumed or bool(runner._resume)

    def before_train(self, runner) -> None:
        """Read, plan, agree, and only then change the model."""
        if self._resumed or runner.iter > 0:
            runner.logger.info('WeightTransferHook: nothing is transferred, the run is resumed')
            return
        if int(os.environ.get('LOCAL_RANK', 0)) == 0:  # one process a node fetches, the others wait
            addresses = [source for source in rule_sources(self.rules) if is_address(source)]
        else:
            addresses = []
        _on_all_ranks(lambda: [fetch(address) for address in addresses])
        sources, entries = _on_all_ranks(lambda: self._plan(runner.model))
        _compare_files(sources)
        apply_transfer(entries)
        # The same files and seed give the same weights; processors may differ in the last bit of a draw.
        for entry in entries:
            if entry.value is not None:
                broadcast(entry.target.tensor.data, src=0)
        runner.logger.info(transfer_report(entries, sources, verbose=self.verbose))
        missing = missing_tensors(entries)
        if missing:
            runner.logger.warning(
                f'WeightTransferHook: {len(missing)} tensors that a rule names are not in its source and stay as they '
                f'were: {", ".join(missing[:3])}{", ..." if len(missing) > 3 else ""}'
            )
        files = {source.path: source.sha256 for source in sources.values()}
        runner.message_hub.update_info('weight_transfer', files)

    def _plan(self, model) -> tuple[dict[str, SourceCheckpoint], list[TransferEntry]]:
        if any(isinstance(module, FullyShardedDataParallel) for module in model.modules()):
            raise DataError('WeightTransferHook: the model is sharded (FSDP), expected one process or DDP')
        sources = read_sources(rule_sources(self.rules))
        return sources, plan_transfer(target_tensors(model), self.rules, sources, seed=self.seed)


def _on_all_ranks(step: Callable):
    """Run a step on every rank; where one fails, all raise the error of the first that did.

    Args:
        step: called without arguments; must not communicate.

    Returns:
        What the step returned on this rank.
    """
    result, error, found = None, None, None
    try:
        result = step()
    except Exception as caught:  # one that raises alone leaves the others waiting
        error = caught
        kind = type(error) if isinstance(error, DataError) else RuntimeError
        found = (kind, one_line(error))
    answers = all_gather_object(found)
    failed = [(rank, answer) for rank, answer in enumerate(answers) if answer is not None]
    if not failed:
        return result
    rank, (kind, text) = failed[0]
    everywhere = len(failed) == len(answers) and len({answer for _, answer in failed}) == 1
    raise kind(text if everywhere else f'rank {rank}: {text}') from error


def _compare_files(sources: dict[str, SourceCheckpoint]) -> None:
    """Raise on every rank unless all have read the same bytes."""
    found = all_gather_object([(name, source.sha256) for name, source in sources.items()])
    for rank, files in enumerate(found):
        for (name, digest), (first_name, first_digest) in zip(files, found[0], strict=True):
            if digest != first_digest:
                raise DataError(
                    f'rank {rank}: {name} has sha256 {digest}, on rank 0 {first_name} has {first_digest}, expected '
                    'the same file'
                )
