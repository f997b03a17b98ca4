"""Find the checkpoint that ``--resume`` means."""

from pathlib import Path

from mmssl.checkpoint_pointer import read_pointer
from mmssl.errors import DataNotFoundError


def find_resume_checkpoint(resume: str, work_dir: str) -> str:
    """Path of the checkpoint to resume from.

    Args:
        resume: ``'latest'``, or a checkpoint file, or a work dir.
        work_dir: where ``'latest'`` looks.

    Returns:
        Path of an existing file.

    Raises:
        DataNotFoundError: when there is nothing to resume; mmengine would start from zero.
    """
    path = Path(work_dir if resume == 'latest' else resume)
    if path.is_file():
        return str(path)
    checkpoint = read_pointer(path)
    if checkpoint is None:
        raise DataNotFoundError(f'--resume: no checkpoint in {path}')
    return str(checkpoint)
