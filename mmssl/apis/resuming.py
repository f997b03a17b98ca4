"""Find the checkpoint that ``--resume`` means."""

from pathlib import Path

from mmengine.runner import find_latest_checkpoint


def find_resume_checkpoint(resume: str, work_dir: str) -> str:
    """Path of the checkpoint to resume from.

    Args:
        resume: ``'latest'``, or a checkpoint file, or a work dir.
        work_dir: where ``'latest'`` looks.

    Returns:
        Path of an existing file.

    Raises:
        FileNotFoundError: when there is nothing to resume; mmengine would start from zero.
    """
    folder = Path(work_dir if resume == 'latest' else resume)
    if folder.is_file():
        return str(folder)
    latest = find_latest_checkpoint(str(folder)) if folder.is_dir() else None
    if latest is None:
        raise FileNotFoundError(f'--resume: no checkpoint in {folder}')
    if not Path(latest).is_file():
        # The pointer file holds the path of the day it was written; the folder may have moved since.
        moved = folder / Path(latest).name
        if not moved.is_file():
            raise FileNotFoundError(f'--resume: {folder}/last_checkpoint names {latest}, which does not exist')
        latest = str(moved)
    return latest
