"""Which image files, folders and videos become which cut-outs: decided, and refused, before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmssl.datasets.split_list import IMAGE_SUFFIXES
from mmssl.errors import DataError

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg')


@dataclass(frozen=True)
class Job:
    """A file and where its cut-out goes.

    Attributes:
        source: image or video.
        target: PNG of an image, MP4 of a video, or a folder for its frames.
        as_frames: whether it is a video that becomes a folder of PNG, for a transparent background.
    """

    source: Path
    target: Path
    as_frames: bool = False

    @property
    def is_video(self) -> bool:
        """Whether the source has the suffix of a video."""
        return self.source.suffix.lower() in VIDEO_SUFFIXES


def plan_jobs(inputs: Sequence[str | Path], out: Path, transparent: bool = False) -> list[Job]:
    """Find the files and name their cut-outs, before anything runs.

    ``a/b.jpg`` becomes ``OUT/b.png``. A folder is searched with its subfolders, hidden files left out, for images; they
    keep their paths below it.

    Args:
        inputs: images, videos and folders of images. A file that does not exist fails later, as one that is damaged.
        out: folder of the cut-outs.
        transparent: whether frames of videos become PNG.

    Returns:
        One job a file, in the order of the inputs, files of a folder sorted.

    Raises:
        DataError: a folder without images, two files with one target, ``out`` is a file, a folder of the inputs or
            inside one, or a target is an input, or the folder of a video's frames is not empty.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f'{out}: a file found, expected a folder for the cut-outs')
    place = out.resolve()
    jobs: list[Job] = []
    for given in map(Path, inputs):
        folder = given if given.is_dir() else given.parent
        if folder.resolve() == place or (given.is_dir() and given.resolve() in place.parents):
            raise DataError(f'{out}: the cut-outs would lie among the images in {folder}, expected another folder')
        files = images_below(given) if given.is_dir() else [given]
        base = given if given.is_dir() else given.parent
        for file in files:
            as_frames, suffix = False, '.png'
            if file.suffix.lower() in VIDEO_SUFFIXES:
                as_frames, suffix = transparent, '' if transparent else '.mp4'
            jobs.append(Job(file, out / file.relative_to(base).with_suffix(suffix), as_frames))
    _check_targets(jobs)
    return jobs


def images_below(folder: Path) -> list[Path]:
    """Images of a folder and its subfolders, sorted, hidden ones left out.

    Raises:
        DataError: there are none.
    """
    files = sorted(
        path
        for path in folder.rglob('*')
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith('.') for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not files:
        raise DataError(f'{folder}: no image there; expected files that end with {" or ".join(IMAGE_SUFFIXES)}')
    return files


def _check_targets(jobs: Sequence[Job]) -> None:
    source_of: dict[Path, Path] = {}
    sources = {job.source.resolve() for job in jobs}
    for job in jobs:
        if job.target in source_of:
            raise DataError(
                f'{source_of[job.target]} and {job.source} would both become {job.target}, expected one file a name'
            )
        if job.target.resolve() in sources:
            raise DataError(f'{job.source}: its cut-out {job.target} would replace an input, expected another folder')
        if job.as_frames and job.target.exists() and any(job.target.iterdir()):
            raise DataError(f'{job.target}: exists, expected no folder there for the frames of {job.source}')
        source_of[job.target] = job.source
