"""Images and masks for timing a data pipeline: the dataset's own, those of a folder, or procedural streets."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mmengine.registry import DATASETS

from mmssl.apis.data_folders import dataset_configs
from mmssl.datasets.label_checks import IGNORED
from mmssl.datasets.rendering import render_street_scene
from mmssl.datasets.transforms.pretext.otsu_clusters import grey_clusters
from mmssl.errors import DataError, DataNotFoundError

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')
RENDERED_SIZE = (512, 1024)  # Cityscapes at half resolution, as S0 trains on it
JPEG_QUALITY = 95


@dataclass(frozen=True)
class PipelineSamples:
    """What the first step of a pipeline is given.

    Attributes:
        infos: samples as the dataset gives them, before the first transform.
        origin: where they come from, in words.
    """

    infos: list[dict]
    origin: str


def dataset_samples(settings: dict, number: int) -> list[dict] | None:
    """Take samples, evenly spaced, of a dataset whose files exist.

    Args:
        settings: config of the dataset.
        number: samples to take, at most.

    Returns:
        The samples; None where the data or an image file is missing.
    """
    try:
        dataset = DATASETS.build({**settings, 'pipeline': []})
        indices = np.unique(np.linspace(0, len(dataset) - 1, min(number, len(dataset))).astype(int))
        infos = [dataset.get_data_info(int(index)) for index in indices]
    except (DataError, OSError):
        return None
    found = all(is_rendered(info) or Path(info.get('img_path') or '').is_file() for info in infos)
    return infos if infos and found else None


def is_rendered(info: dict) -> bool:
    """Whether a sample is a request to render a street scene, as those of ``mmssl.StreetScenesDataset`` are."""
    return {'seed', 'index', 'style', 'size'} <= set(info)


def folder_images(folder: Path, number: int) -> Iterator[tuple[np.ndarray, None, str]]:
    """Read images, evenly spaced, of a folder and its subfolders.

    Yields:
        Image (H, W, 3) uint8 BGR; None, for there is no mask; suffix of the file.

    Raises:
        DataNotFoundError: there is no such folder.
        DataError: it holds no image, or a file cannot be read.
    """
    if not folder.is_dir():
        raise DataNotFoundError(f'{folder}: the folder does not exist (--images)')
    paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise DataError(f'{folder}: no image there, expected files that end with {" or ".join(IMAGE_SUFFIXES)}')
    for index in np.unique(np.linspace(0, len(paths) - 1, min(number, len(paths))).astype(int)):
        yield read_image(paths[index]), None, paths[index].suffix.lower()


def read_image(path: str | Path, flag: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """Read an image; raises DataError where OpenCV cannot."""
    image = cv2.imread(str(path), flag)
    if image is None:
        raise DataError(f'{path}: not a readable image')
    return image


def dataset_class(settings: dict) -> type:
    """The class that a dataset's config names, looked up in the default scope as when it is built."""
    if not isinstance(settings['type'], str):
        return settings['type']
    with DATASETS.switch_scope_and_registry(None) as registry:
        found = registry.get(settings['type'])
    if found is None:
        raise KeyError(f'{settings["type"]} is no registered dataset')
    return found


def file_suffix(settings: dict) -> str:
    """Format of the files that a dataset would read, ``.jpg`` or ``.png``, from its config or its class."""
    suffix = settings.get('img_suffix')
    if suffix is None:
        parameter = inspect.signature(dataset_class(settings).__init__).parameters.get('img_suffix')
        suffix = parameter.default if parameter else '.jpg'
    first = suffix if isinstance(suffix, str) else next(iter(suffix), '.jpg')
    return '.png' if first.lower().endswith('.png') else '.jpg'


def class_count(settings: dict) -> int:
    """Number of classes that a dataset's masks have; 2 where neither its config nor its class says."""
    metainfo = settings.get('metainfo') or {}
    known = getattr(dataset_class(settings), 'METAINFO', {})
    return len(metainfo.get('classes') or known.get('classes') or (0, 1))


def write_sample(folder: Path, index: int, image: np.ndarray, mask: np.ndarray | None, suffix: str) -> dict:
    """Write an image and its mask and describe them as a dataset does, with the class 0 for a classifier."""
    path, mask_path = folder / f'{index:04d}{suffix}', folder / f'{index:04d}_mask.png'
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix != '.png' else []
    info = {'img_path': str(path), 'seg_fields': [], 'reduce_zero_label': False, 'label_map': None, 'gt_label': 0}
    written = cv2.imwrite(str(path), image, options)
    if mask is not None:
        written &= cv2.imwrite(str(mask_path), mask)
        info['seg_map_path'] = str(mask_path)
    if not written:
        raise OSError(f'{path}: cannot be written')
    return {**info, 'sample_idx': index}


def resized_samples(infos: Sequence[dict], size: tuple[int, int], folder: Path) -> list[dict]:
    """Give samples of a dataset another size: rendered at it, or their files resized and written anew.

    Args:
        infos: samples as the dataset gives them.
        size: height and width, pixels.
        folder: where the files go.

    Returns:
        The samples, all else as it was.
    """
    resized = []
    for index, info in enumerate(infos):
        if is_rendered(info):
            resized.append({**info, 'size': size})
            continue
        image, mask = read_image(info['img_path']), None
        if info.get('seg_map_path'):
            mask = read_image(info['seg_map_path'], cv2.IMREAD_UNCHANGED)
            mask = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST)
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
        suffix = '.png' if info['img_path'].lower().endswith('.png') else '.jpg'
        written = write_sample(folder, index, image, mask, suffix)
        resized.append({**info, **{key: written[key] for key in ('img_path', 'seg_map_path') if key in written}})
    return resized


def made_up_samples(
    settings: dict, folder: Path, *, number: int, size: tuple[int, int] | None, images: Path | None
) -> list[dict]:
    """Write the images of a folder, or procedural streets, as samples of a dataset whose files are missing.

    Photographs get the clusters of their grey values as masks.

    Args:
        settings: config of the dataset, for the format of the files and the number of classes.
        folder: where the files go.
        number: samples, at most.
        size: height and width, pixels; None keeps that of the images, and renders at 512x1024.
        images: folder of images; None renders.

    Returns:
        The samples.
    """
    classes = class_count(settings)
    if images:
        sources = folder_images(images, number)
    else:
        suffix, rendered = file_suffix(settings), size or RENDERED_SIZE
        scenes = (render_street_scene(0, index, rendered, 'photo') for index in range(number))
        sources = ((scene.image, scene.semantic, suffix) for scene in scenes)
    infos = []
    for index, (image, mask, suffix) in enumerate(sources):
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA) if size else image
        mask = grey_clusters(image, min(max(classes, 2), 4)) if mask is None else mask
        mask = np.where(mask < classes, mask, np.uint8(IGNORED))
        infos.append({**write_sample(folder, index, image, mask, suffix), 'num_classes': classes})
    return infos


def collect_samples(
    settings: dict, folder: Path, *, number: int = 16, size: tuple[int, int] | None = None, images: Path | None = None
) -> PipelineSamples:
    """Find or make what a pipeline reads.

    Args:
        settings: config of the dataset; of a wrapper the first dataset inside is taken.
        folder: an empty folder for files that have to be made.
        number: samples, at least 1.
        size: height and width of the source images, pixels; None keeps theirs.
        images: folder of images to take instead of the dataset's.

    Returns:
        The samples and their origin.

    Raises:
        DataNotFoundError: there is no folder ``images``.
        DataError: an image cannot be read, or the dataset renders its images and ``images`` are given.
    """
    settings = next(dataset_configs(settings))
    own = dataset_samples(settings, number)
    if own and is_rendered(own[0]):
        if images:
            raise DataError(f'{images}: {settings["type"]} renders its images, --images has no use there')
        return PipelineSamples(resized_samples(own, size, folder) if size else own, 'rendered by the pipeline')
    if images or not own:
        infos = made_up_samples(settings, folder, number=number, size=size, images=images)
        if images:
            return PipelineSamples(infos, f'{len(infos)} images of {images}')
        form = 'PNG' if infos[0]['img_path'].endswith('.png') else f'JPEG of quality {JPEG_QUALITY}'
        return PipelineSamples(infos, f'{len(infos)} procedural streets, {form}: the files of the dataset are missing')
    infos = resized_samples(own, size, folder) if size else own
    return PipelineSamples(infos, f'{len(infos)} images of the dataset')
