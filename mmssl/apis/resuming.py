"""Find the checkpoint that ``--resume`` means, and see whether it is whole."""

from pathlib import Path

from mmssl.checkpoint_pointer import read_pointer
from mmssl.errors import DataError, DataNotFoundError
from mmssl.tensor_file import read_tensor_file


def find_resume_checkpoint(resume: str, work_dir: str) -> str | None:
    """Path of the checkpoint to resume from.

    Args:
        resume: ``'latest'``, ``'auto'``, or a checkpoint file, or a work dir.
        work_dir: where ``'latest'`` and ``'auto'`` look.

    Returns:
        Path of a whole file; None for ``'auto'`` where there is nothing to resume.

    Raises:
        DataNotFoundError: there is nothing to resume; mmengine would start from zero.
        DataError: the file is damaged: how, and which one before it is whole. That one is not taken by itself.
    """
    path = Path(work_dir if resume in ('latest', 'auto') else resume)
    if not path.is_file():
        named = read_pointer(path)
        if named is None and resume == 'auto':
            return None
        if named is None:
            raise DataNotFoundError(f'--resume: no checkpoint in {path}')
        path = named
    damage = find_damage(path)
    if damage:
        whole = newest_whole_checkpoint(path)
        advice = f'--resume {whole} goes on from the one before it' if whole else 'there is no whole one beside it'
        raise DataError(f'{path}: damaged, {damage}; {advice}')
    return str(path)


def find_damage(path: Path) -> str | None:
    """What is wrong with a checkpoint file, or None: every byte of an archive of torch is compared with its checksums.

    ``torch.load`` does not look at them, and reads weights with bits that have flipped.
    """
    try:
        read_tensor_file(path, 'checkpoint')
    except DataError as error:
        return str(error).removeprefix(f'checkpoint {path}: ').removeprefix('damaged or no such file: ')
    return None


def newest_whole_checkpoint(damaged: Path) -> Path | None:
    """The newest whole checkpoint in the folder of a damaged one, those of the best score left out."""
    others = [path for path in damaged.parent.glob('*.pth') if path != damaged and not path.name.startswith('best_')]
    others.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return next((path for path in others if find_damage(path) is None), None)
