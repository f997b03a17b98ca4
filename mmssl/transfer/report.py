"""Tell what a transfer did, in a table for the terminal and the log."""

import itertools
import math
from collections.abc import Mapping, Sequence

from .rule_work import TransferEntry
from .sources import SourceCheckpoint
from .text_table import text_table

HEADERS = ('module', 'action', 'tensors', 'parameters', 'from', 'reason')
SHOWN_MODULES = 4


def transfer_report(
    entries: Sequence[TransferEntry], sources: Mapping[str, SourceCheckpoint], *, verbose: bool = False
) -> str:
    """Lay out a transfer: a table of the modules, the files with SHA-256 and unused tensors, and the totals.

    Args:
        entries: of :func:`plan_transfer`.
        sources: of :func:`read_sources`.
        verbose: one row a tensor instead of one a module.

    Returns:
        Several lines.
    """
    files = list({source.path: source for source in sources.values()}.values())
    numbers = {source.path: f'[{index}]' for index, source in enumerate(files, start=1)}
    rows = []
    for (module, action, origin, reason), group in itertools.groupby(
        sorted(entries, key=_first_of_module(entries)), key=lambda entry: _row_key(entry, numbers, verbose)
    ):
        members = [entry.target for entry in group]
        parameters = sum(target.tensor.numel() for target in members if target.is_parameter)
        rows.append((module, action, f'{len(members):,}', f'{parameters:,}', origin, reason))
    lines = ['Weight transfer', *text_table(HEADERS, rows, right=('tensors', 'parameters')), 'Sources']
    for source in files:
        lines += [
            f'  {numbers[source.path]} {source.path}',
            f'      sha256 {source.sha256}',
            f'      {_use(source, entries)}',
        ]
    return '\n'.join([*lines, totals(entries)])


def totals(entries: Sequence[TransferEntry]) -> str:
    """One line: how many of the model's parameters were taken, reinitialised and left.

    Args:
        entries: of :func:`plan_transfer`.

    Returns:
        For example ``1,874,044 of 2,064,191 parameters (90.8 %) taken from the sources, 0 reinitialised, ...``.
    """
    parameters = [entry for entry in entries if entry.target.is_parameter]
    total = sum(entry.target.tensor.numel() for entry in parameters)
    taken = sum(entry.taken for entry in parameters)
    written = sum(entry.target.tensor.numel() for entry in parameters if entry.value is not None)
    # Rounded down, so that 100.0 % means all.
    percent = math.floor(1000 * taken / max(total, 1)) / 10
    return (
        f'{taken:,} of {total:,} parameters ({percent:.1f} %) taken from the sources, '
        f'{written - taken:,} reinitialised, {total - written:,} left as they were'
    )


def missing_tensors(entries: Sequence[TransferEntry]) -> list[str]:
    """Names of tensors that a rule names and its source lacks, without the counters of batch norms.

    Args:
        entries: of :func:`plan_transfer`.

    Returns:
        Names in the model.
    """
    return [
        entry.target.name
        for entry in entries
        if entry.action == 'skipped'
        and entry.reason.startswith('not in the source')
        and entry.target.leaf != 'num_batches_tracked'
    ]


def module_group(name: str) -> str:
    """The part of a model that a tensor is told under: up to the first number, or two names deep.

    Args:
        name: of a tensor, as ``backbone.layers.7.conv.weight``.

    Returns:
        For example ``backbone.layers.7`` or ``decode_head.conv_seg``.
    """
    parts = name.split('.')[:-1]
    depth = next((index + 1 for index, part in enumerate(parts) if part.isdigit()), 2)
    return '.'.join(parts[:depth]) or name


def _first_of_module(entries: Sequence[TransferEntry]):
    """Sorting key that brings rows of a module together, in the order of the model."""
    modules = {
        module: index for index, module in enumerate(dict.fromkeys(module_group(e.target.name) for e in entries))
    }
    order = {'copied': 0, 'mixed': 1, 'reset': 2, 'skipped': 3, 'left': 4}

    def paths(entry: TransferEntry) -> list[str]:
        return [path for path, _ in entry.keys]

    return lambda entry: (modules[module_group(entry.target.name)], order[entry.action], entry.reason, paths(entry))


def _row_key(entry: TransferEntry, numbers: Mapping[str, str], verbose: bool) -> tuple[str, str, str, str]:
    origin = ' '.join(dict.fromkeys(numbers[path] for path, _ in entry.keys))
    if not verbose:
        return module_group(entry.target.name), entry.action, origin, entry.reason
    renamed = ', '.join(key for _, key in entry.keys if key != entry.target.name)
    return entry.target.name, entry.action, origin, '; '.join(filter(None, [entry.reason, renamed and f'as {renamed}']))


def _use(source: SourceCheckpoint, entries: Sequence[TransferEntry]) -> str:
    used = {key for entry in entries for path, key in entry.keys if path == source.path}
    unused = [key for key in source.tensors if key not in used]
    line = f'{len(used):,} of {len(source.tensors):,} tensors used'
    if unused:
        modules = list(dict.fromkeys(map(module_group, unused)))
        more = ', ...' if len(modules) > SHOWN_MODULES else ''
        line += f'; {len(unused):,} unused, in {", ".join(modules[:SHOWN_MODULES])}{more}'
    return line
