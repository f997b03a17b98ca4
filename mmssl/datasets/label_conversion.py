"""Turn a folder of published labels into masks of class ids: parallel, resumable, sources untouched."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from mmssl.atomic_file import write_atomically
from mmssl.datasets.folder import list_stems
from mmssl.datasets.split_list import first_few
from mmssl.errors import DataError

TRAIN_IDS_SUFFIX = '_labelTrainIds.png'
"""What Cityscapes calls masks of training ids; converted masks can lie beside the labels they were made of."""

KINDS = {
    'damaged': 'cannot be read',
    'size': 'have another size than their image',
    'no image': 'have no image',
    'no label': 'are missing for an image',
}


@dataclass
class ConversionReport:
    """What became of each label."""

    out: Path
    written: int = 0
    present: int = 0
    usable: list[str] = field(default_factory=list)
    left_out: dict[str, dict[str, str]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    @property
    def complete(self) -> bool:
        """Whether no label was left out."""
        return not any(self.left_out.values())

    def lines(self) -> list[str]:
        """The counts in a line, and a line for each kind of label that was left out."""
        lines = [f'{self.out}: {len(self.usable)} masks ({self.written} written, {self.present} were there)']
        for kind, names in self.left_out.items():
            if names:
                some = first_few([f'{name} ({why})' if why else name for name, why in names.items()])
                lines.append(f'left out: {len(names)} labels {KINDS[kind]}: {some}')
        return lines


def _image_size(path: Path) -> tuple[int, int]:
    """Height and width in pixels from the header of an image file."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        reason = 'not an image' if isinstance(error, UnidentifiedImageError) else ' '.join(str(error).split())
        raise DataError(f'{path}: the image cannot be read ({reason})') from None


def _convert_one(label: Path, image: Path, target: Path, read: Callable[[str], np.ndarray]) -> tuple[str, str]:
    """Write one mask; returns the kind of fault and its reason, or two empty strings."""
    try:
        mask, size = read(str(label)), _image_size(image)
    except DataError as error:
        return 'damaged', str(error).removeprefix(f'{label}: ')
    if mask.shape != size:
        return 'size', f'{mask.shape[0]}x{mask.shape[1]}, its image {size[0]}x{size[1]}'
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, cv2.imencode('.png', mask)[1].tobytes())
    return '', ''


def convert_labels(
    image_dir: Path,
    label_dir: Path,
    out: Path,
    read: Callable[[str], np.ndarray],
    *,
    workers: int = 1,
    overwrite: bool = False,
) -> ConversionReport:
    """Convert every label that has an image of its size to ``OUT/<name>_labelTrainIds.png``.

    A mask that exists is whole, for it was moved into place, and is not made again. ``OUT/usable.txt`` lists the names
    that have image and mask, for the dataset's ``ann_file``; ``OUT/left_out.txt``, where there are any, the others with
    the reason. Threads do the work: decoding and encoding happen outside of Python's lock.

    Args:
        image_dir: images, ``<name>.png``; only their headers are read.
        label_dir: published labels, ``<name>.png``.
        out: folder of the masks; may be ``label_dir``.
        read: path of a label to its mask, (H, W) uint8; raises DataError.
        workers: threads, at least 1.
        overwrite: make masks again that exist.

    Returns:
        The counts and names.

    Raises:
        DataNotFoundError: a folder does not exist.
        DataError: there are no labels.
        ValueError: fewer than one worker.
    """
    if workers < 1:
        raise ValueError(f'workers is {workers}, expected at least 1')
    images = list_stems(str(image_dir), ('.png',))
    labels = {
        stem: name
        for stem, name in list_stems(str(label_dir), ('.png',)).items()
        if not name.endswith(TRAIN_IDS_SUFFIX)
    }
    if not labels:
        raise DataError(f'{label_dir}: no label there; expected files that end with .png')
    report = ConversionReport(out)
    report.left_out['no image'] = {labels[stem]: '' for stem in labels if stem not in images}
    report.left_out['no label'] = {images[stem]: '' for stem in images if stem not in labels}
    stems = [stem for stem in labels if stem in images]
    there = {stem for stem in stems if not overwrite and (out / f'{stem}{TRAIN_IDS_SUFFIX}').is_file()}
    report.present, report.usable = len(there), sorted(there)

    out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(workers) as pool:
        todo = [stem for stem in stems if stem not in there]
        paths = (
            (label_dir / labels[stem], image_dir / images[stem], out / f'{stem}{TRAIN_IDS_SUFFIX}', read)
            for stem in todo
        )
        jobs = [pool.submit(_convert_one, *arguments) for arguments in paths]
        try:
            for stem, job in tqdm(zip(todo, jobs, strict=True), total=len(todo), desc=str(out), unit='mask'):
                kind, why = job.result()
                if kind:
                    report.left_out[kind][labels[stem]] = why
                else:
                    report.usable.append(stem)
                    report.written += 1
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    report.usable.sort()
    _write_lists(report)
    return report


def _write_lists(report: ConversionReport) -> None:
    write_atomically(report.out / 'usable.txt', ''.join(f'{stem}\n' for stem in report.usable).encode())
    left_out = report.out / 'left_out.txt'
    if report.complete:
        left_out.unlink(missing_ok=True)
        return
    rows = [f'{name}\t{why or kind}\n' for kind, names in report.left_out.items() for name, why in names.items()]
    write_atomically(left_out, ''.join(rows).encode())
