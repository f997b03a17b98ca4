"""Tell what a checkpoint holds, so that a rule can be written for it."""

from .sources import SourceCheckpoint
from .text_table import text_table


def checkpoint_listing(source: SourceCheckpoint) -> str:
    """List the modules of a checkpoint with the shapes of their tensors.

    Args:
        source: the checkpoint.

    Returns:
        Several lines: a table, file and SHA-256, the number of tensors.
    """
    modules: dict[str, list[str]] = {}
    for name, tensor in source.tensors.items():
        module, _, leaf = name.rpartition('.')
        shape = 'x'.join(map(str, tensor.shape)) or 'number'
        modules.setdefault(module, []).append(f'{leaf} {shape}')
    rows = [(module or '(top level)', ', '.join(leaves)) for module, leaves in modules.items()]
    numbers = sum(tensor.numel() for tensor in source.tensors.values())
    return '\n'.join(
        [
            *text_table(('module', 'tensors'), rows),
            f'{source.path}',
            f'sha256 {source.sha256}',
            f'{len(source.tensors):,} tensors in {len(rows):,} modules, {numbers:,} numbers',
        ]
    )
