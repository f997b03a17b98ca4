"""Look for the images that an annotation file lists, before anything long starts."""

import os
from collections import defaultdict
from collections.abc import Callable

from mmengine.dataset import BaseDataset

from mmssl.datasets.plain_datasets import plain_datasets
from mmssl.errors import DataNotFoundError

PATHS = ('img_path', 'seg_map_path')


def listed_files(part: BaseDataset) -> list[dict]:
    """The entries of a plain dataset, cut down to the paths of image and mask.

    mmengine unpickles an entry whenever it is asked for, with all polygons of its image: a tenth of a millisecond for
    one of COCO. So who looks at the paths more than once keeps them.
    """
    infos = (part.get_data_info(index) for index in range(len(part)))
    return [{key: info[key] for key in PATHS if key in info} for info in infos]


def check_listed_images(dataset, where: str, files_of: Callable[[BaseDataset], list[dict]] = listed_files) -> None:
    """Raise unless every image of every annotation file inside ``dataset`` is in its folder.

    The hosts' datasets notice a missing image when they come to it, hours later. Each folder is listed once instead
    of asking for each file. Datasets without an annotation file list a folder themselves; those with a file backend
    of their own, images at an address, and scenes that are rendered (``reads_files = False``) are left out.

    Args:
        dataset: what a dataloader reads, with or without wrappers.
        where: of the dataset in the config, for the message.
        files_of: gives :func:`listed_files`, of a caller that keeps them.

    Raises:
        DataNotFoundError: naming the annotation file, the first image that is missing, and their number.
    """
    for part in plain_datasets(dataset):
        if not part.ann_file or getattr(part, 'backend_args', None) or not getattr(part, 'reads_files', True):
            continue
        folders: dict[str, list[str]] = defaultdict(list)
        images = [paths.get('img_path') for paths in files_of(part)]
        for image in images:
            if isinstance(image, str) and '://' not in image:
                folder, name = os.path.split(image)
                folders[folder].append(name)
        missing = []
        for folder, names in folders.items():
            present = set(os.listdir(folder or '.')) if os.path.isdir(folder or '.') else set()
            missing += [os.path.join(folder, name) for name in names if name not in present]
        if missing:
            raise DataNotFoundError(
                f'{part.ann_file}: {len(missing)} of {len(images)} images that it lists are missing, '
                f'the first is {missing[0]} ({where})'
            )
