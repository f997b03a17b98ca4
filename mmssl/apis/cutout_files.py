"""Remove the background of image files, folders and videos: one after the other, faults listed at the end."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mmssl.apis.background_removal import BackgroundRemover, read_image
from mmssl.apis.cutout_jobs import Job
from mmssl.atomic_file import write_atomically
from mmssl.errors import DataError, DataNotFoundError


@dataclass
class CutoutReport:
    """What became of each file.

    Attributes:
        written: number of images and videos.
        failed: file to its fault.
        short: video to its frames, where its header says more: it is damaged, or its rate varies.
    """

    written: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    short: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The counts in a line, and a line for each video that is short and each file that failed."""
        total = self.written + len(self.failed)
        notes = [f'note: {name}: {frames} written' for name, frames in self.short.items()]
        faults = [why if name in why else f'{name}: {why}' for name, why in self.failed.items()]
        return [f'{self.written} of {total} files written', *notes, *(f'failed: {fault}' for fault in faults)]


def remove_backgrounds(remover: BackgroundRemover, jobs: Sequence[Job], progress: bool = True) -> CutoutReport:
    """Read, predict, cut out, write and forget.

    Files are moved into place when they are whole; those of an earlier run are replaced. Images are predicted in
    batches, and no more than a batch is held; the frames of a video as well. A file that cannot be read, or has no
    instance where that is a fault, is noted and left out; so is a video with such a frame.

    Args:
        remover: predicts and cuts out.
        jobs: of :func:`mmssl.apis.cutout_jobs.plan_jobs`.
        progress: whether to show a bar.

    Returns:
        The counts and faults.

    Raises:
        OSError: a cut-out cannot be written; those before it are there.
        ValueError: videos were planned for another kind of background.
    """
    if any(job.is_video and job.as_frames != (remover.background == 'transparent') for job in jobs):
        raise ValueError(f'plan_jobs: transparent differs from the background, which is {remover.background}')
    report = CutoutReport()
    with tqdm(total=len(jobs), desc='cut out', unit='file', disable=not progress) as bar:
        images = _read_images([job for job in jobs if not job.is_video], report, bar)
        for job, result in remover.stream(images):
            if isinstance(result, DataError):
                report.failed[str(job.source)] = str(result)
            else:
                _write_png(job.target, result)
                report.written += 1
            bar.update()
        for job in jobs:
            if not job.is_video:
                continue
            try:
                _cut_video(remover, job, report)
                report.written += 1
            except DataError as error:
                report.failed[str(job.source)] = str(error)
            bar.update()
    return report


def _read_images(jobs: Sequence[Job], report: CutoutReport, bar: tqdm) -> Iterator[tuple[Job, np.ndarray]]:
    for job in jobs:
        try:
            # Yielded without a name, which would hold it while the next one is read.
            yield job, read_image(job.source)
        except DataError as error:
            report.failed[str(job.source)] = str(error)
            bar.update()


def _write_png(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, cv2.imencode('.png', picture)[1].tobytes())


def _cut_video(remover: BackgroundRemover, job: Job, report: CutoutReport) -> None:
    """Cut out each frame; sound is left out, and an alpha channel, which MP4 does not have, goes into PNG files."""
    if not job.source.is_file():
        raise DataNotFoundError(f'{job.source}: the file does not exist')
    capture = cv2.VideoCapture(str(job.source))
    try:
        cut_outs = _frames(remover, capture, job.source, report)
        if job.as_frames:
            _write_folder(job.target, cut_outs)
        else:
            _write_mp4(job.target, cut_outs, capture.get(cv2.CAP_PROP_FPS) or 25.0)
    finally:
        capture.release()


def _frames(
    remover: BackgroundRemover, capture: cv2.VideoCapture, source: Path, report: CutoutReport
) -> Iterator[np.ndarray]:
    """Cut-outs of the frames of a video; fewer than its header says are noted.

    Raises:
        DataError: no frame, or one that fails.
    """
    stated, number = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0
    for number, result in remover.stream(enumerate(_decoded(capture), start=1)):
        if isinstance(result, DataError):
            raise DataError(f'{source}: frame {number}: {result}')
        yield result
    if number == 0:
        raise DataError(f'{source}: not a readable video, no frame found, expected one or more')
    if number < stated - 1:  # of many containers the header has an estimate
        report.short[str(source)] = f'{number} of {stated} frames'


def _decoded(capture: cv2.VideoCapture) -> Iterator[np.ndarray]:
    while (frame := capture.read()[1]) is not None:
        yield frame
        del frame  # before the next one


def _write_folder(path: Path, pictures: Iterator[np.ndarray]) -> None:
    partial = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        for number, picture in enumerate(pictures):
            _write_png(partial / f'{number:06}.png', picture)
        os.replace(partial, path)  # fails unless there is nothing, or an empty folder
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_mp4(path: Path, pictures: Iterator[np.ndarray], rate: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.stem}.{os.getpid()}{path.suffix}')  # the writer goes by the suffix
    writer = None
    try:
        for picture in pictures:
            if writer is None:
                size = picture.shape[1::-1]
                writer = cv2.VideoWriter(str(partial), cv2.VideoWriter.fourcc(*'mp4v'), rate, size)
                if not writer.isOpened():
                    raise OSError(f'{path}: cannot be written as MP4')
            writer.write(picture)
        writer.release()
        os.replace(partial, path)
    finally:
        if writer is not None:
            writer.release()
        partial.unlink(missing_ok=True)
