"""Images with true instances from an annotation file of COCO's form, for comparisons outside of a test loop."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import torch
from mmdet.datasets.transforms import LoadAnnotations
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from torch import Tensor

from mmssl.datasets.split_list import first_few, rank_names
from mmssl.errors import DataError, DataNotFoundError, one_line
from mmssl.evaluation.cutout_similarity import bitmaps


@dataclass(frozen=True)
class TrueImage:
    """An image and its annotations, not decoded yet.

    Attributes:
        path: of the image.
        info: the entry of mmdet's dataset: ``instances``, ``height``, ``width``.
    """

    path: str
    info: dict

    def instances(self) -> tuple[Tensor, Tensor]:
        """Masks (N, H, W), bool, and labels (N,), int64, as in a test loop: no crowds, no boxes without a mask."""
        drawn = [each for each in self.info['instances'] if 'mask' in each]
        results = {'instances': drawn, 'ori_shape': (self.info['height'], self.info['width'])}
        loaded = LoadAnnotations(with_bbox=True, with_mask=True)(results)
        real = ~torch.from_numpy(loaded['gt_ignore_flags'])
        return bitmaps(loaded['gt_masks'])[real], torch.from_numpy(loaded['gt_bboxes_labels'])[real]


def read_true_images(
    cfg: Config, source: str, ann_file: str | None = None, image_dir: str | None = None
) -> tuple[list[TrueImage], tuple[str, ...]]:
    """Read annotations by the test dataset of a config, so that a test of it has the same truth.

    Args:
        cfg: a whole configuration; its test dataset says which classes there are.
        source: its name, for messages.
        ann_file: annotations in place of the config's.
        image_dir: folder of their images in place of the config's; to be given together.

    Returns:
        Images with at least one instance, crowds included, in the order of the file; and the names of the classes.

    Raises:
        ValueError: one of file and folder without the other, or a config without ``test_dataloader``.
        DataNotFoundError: no annotation file.
        DataError: a file that is not of COCO's form.
    """
    if (ann_file is None) != (image_dir is None):
        raise ValueError('annotation file and image folder: one of them found, expected both or neither')
    if not cfg.get('test_dataloader'):
        raise ValueError(f'config {source}: no test_dataloader, expected the images to compare on')
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    settings = {**cfg.test_dataloader.dataset, 'test_mode': True, 'lazy_init': True}
    if ann_file is not None:
        settings.update(data_root='', ann_file=str(ann_file), data_prefix={'img': str(image_dir)})
    dataset = DATASETS.build(settings)
    file = getattr(dataset, 'ann_file', '')
    if not Path(file).is_file():
        raise DataNotFoundError(f'{file or source}: the annotation file does not exist')
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools tells how long it took
            dataset.full_init()
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError, IndexError) as error:
        raise DataError(f'{file}: not annotations of COCO ({one_line(error)})') from None
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    images = [TrueImage(info['img_path'], info) for info in infos if any('mask' in each for each in info['instances'])]
    return images, tuple(dataset.metainfo['classes'])


def choose_images(images: list[TrueImage], count: int | None, seed: int | None) -> list[TrueImage]:
    """Some of the images, which must be there.

    Args:
        images: of :func:`read_true_images`.
        count: how many; None or more than there are: all.
        seed: of a draw by name, the same on every machine; None: the first ones.

    Returns:
        The images in their order.

    Raises:
        ValueError: fewer than one asked for.
        DataError: no image has an instance.
        DataNotFoundError: image files are missing.
    """
    if count is not None and count < 1:
        raise ValueError(f'images: {count} found, expected at least 1')
    if not images:
        raise DataError('no image has an instance of the classes, expected annotations with masks')
    if count is not None and count < len(images):
        if seed is None:
            images = images[:count]
        else:
            drawn = set(rank_names([Path(image.path).name for image in images], str(seed))[:count])
            images = [image for image in images if Path(image.path).name in drawn]
    missing = [image.path for image in images if not Path(image.path).is_file()]
    if missing:
        raise DataNotFoundError(f'{len(missing)} of the {len(images)} images are not there ({first_few(missing)})')
    return images
