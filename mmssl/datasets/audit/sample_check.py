"""Read image and mask of one sample as its pipeline does, and say everything that is wrong with them."""

from dataclasses import dataclass

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations

from mmssl.datasets.audit.finding import ERROR, WARNING, Finding
from mmssl.datasets.label_checks import IGNORED, check_ids, check_same_size, id_table, mask_to_uint8
from mmssl.datasets.transforms.loading import LoadSegAnnotations, decode, decode_mask, read_bytes
from mmssl.datasets.transforms.street_scene_loading import LoadStreetScene
from mmssl.errors import DataError, DataNotFoundError


@dataclass(frozen=True)
class SampleCheck:
    """How the files of a dataset are read.

    Attributes:
        image_backend: decoder of the images, as in :func:`mmcv.imfrombytes`.
        image_color: as its ``flag``.
        image_backend_args: file backend of the images.
        mask_backend: decoder of the masks.
        mask_backend_args: file backend of the masks.
        num_classes: K, or None where no masks are loaded.
        ignore_index: id of ignored pixels in the mask files.
        rendered: whether samples are drawn, not read.
    """

    image_backend: str = 'cv2'
    image_color: str = 'color'
    image_backend_args: dict | None = None
    mask_backend: str = 'pillow'
    mask_backend_args: dict | None = None
    num_classes: int | None = None
    ignore_index: int = IGNORED
    rendered: bool = False


def sample_check_of(dataset) -> SampleCheck:
    """Read off the pipeline of a dataset how its files are read.

    Args:
        dataset: of mmengine's kind, without wrappers; its list need not be read.

    Returns:
        The check. Masks are looked at where the pipeline loads them.
    """
    transforms = list(dataset.pipeline.transforms)
    options = {'rendered': any(isinstance(transform, LoadStreetScene) for transform in transforms)}
    loader = next((each for each in transforms if isinstance(each, LoadImageFromFile)), None)
    if loader is not None:
        options |= {
            'image_backend': loader.imdecode_backend,
            'image_color': loader.color_type,
            'image_backend_args': loader.backend_args,
        }
    loader = next((each for each in transforms if isinstance(each, (LoadSegAnnotations, LoadAnnotations))), None)
    labelled = loader is not None or any(getattr(each, 'with_labels', False) for each in transforms)
    classes = dataset.metainfo.get('classes')
    if loader is not None:
        options |= {
            'mask_backend': loader.imdecode_backend,
            'mask_backend_args': loader.backend_args,
            'ignore_index': getattr(loader, 'ignore_index', IGNORED),
        }
    if labelled:
        options['num_classes'] = getattr(loader, 'num_classes', None) or (len(classes) if classes else None)
    return SampleCheck(**options)


def check_sample(check: SampleCheck, info: dict) -> tuple[list[Finding], np.ndarray | None]:
    """Read the files of a sample.

    Args:
        check: of its dataset.
        info: its entry: ``img_path``, ``seg_map_path``, ``label_map``, ``reduce_zero_label``; ``height`` and ``width``
            where an annotation file states them; of a rendered scene what it is drawn from.

    Returns:
        All faults, and (K,) int64, the pixels of each class, where there is a mask.
    """
    if check.rendered:
        mask = LoadStreetScene()(dict(info, seg_fields=[]))['gt_seg_map']
        return [], None if check.num_classes is None else _count(mask, check.num_classes)
    findings, size = [], None
    path = info.get('img_path')
    if isinstance(path, str):
        try:
            data = read_bytes(path, check.image_backend_args)
            size = decode(data, path, check.image_color, check.image_backend).shape[:2]
        except DataError as error:
            findings.append(_unreadable(error))
        stated = info.get('height'), info.get('width')
        if size is not None and None not in stated and tuple(stated) != size:
            findings.append(
                Finding(
                    ERROR,
                    'size',
                    f'{path}: the image has {size[0]}x{size[1]} pixels (height x width), the annotation file says '
                    f'{stated[0]}x{stated[1]}',
                )
            )
    if check.num_classes is None:
        return findings, None
    faults, counts = _check_mask(check, info, size)
    return findings + faults, counts


def _check_mask(
    check: SampleCheck, info: dict, size: tuple[int, int] | None
) -> tuple[list[Finding], np.ndarray | None]:
    path, image = info.get('seg_map_path'), info.get('img_path', '')
    if path is None:
        return [Finding(ERROR, 'missing', f'{image}: the image has no mask; expected one to load')], None
    try:
        data = read_bytes(path, check.mask_backend_args)
        mask = decode_mask(data, path, check.mask_backend)
    except DataError as error:
        return [_unreadable(error)], None
    try:
        mask = mask_to_uint8(mask, path)
    except DataError as error:
        return [Finding(ERROR, 'no ids', str(error))], None
    findings = []
    table, allowed = id_table(
        check.num_classes, info.get('label_map'), info.get('reduce_zero_label', False), check.ignore_index
    )
    checks = [('ids', lambda: check_ids(mask, allowed, path))]
    if size is not None:
        checks.append(('size', lambda: check_same_size(mask.shape, size, path, image)))
    for kind, call in checks:
        try:
            call()
        except DataError as error:
            findings.append(Finding(ERROR, kind, str(error)))
    counts = _count(cv2.LUT(mask, table), check.num_classes)
    if not counts.any() and not findings:
        findings.append(Finding(WARNING, 'no label', f'{path}: no pixel has a class, all are ignored'))
    return findings, counts


def _count(mask: np.ndarray, num_classes: int) -> np.ndarray:
    return np.bincount(mask.ravel(), minlength=num_classes)[:num_classes]


def _unreadable(error: DataError) -> Finding:
    return Finding(ERROR, 'missing' if isinstance(error, DataNotFoundError) else 'broken', str(error))
