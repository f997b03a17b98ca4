"""Look for the images that an annotation file lists, before anything long starts."""

import os
from collections import defaultdict

from mmssl.datasets.plain_datasets import plain_datasets
from mmssl.errors import DataNotFoundError


def check_listed_images(dataset, where: str) -> None:
    """Raise unless every image of every annotation file inside ``dataset`` is in its folder.

    The hosts' datasets notice a missing image when they come to it, hours later. Each folder is listed once instead
    of asking for each file. Datasets without an annotation file list a folder themselves; those with a file backend
    of their own, images at an address, and scenes that are rendered (``reads_files = False``) are left out.

    Args:
        dataset: what a dataloader reads, with or without wrappers.
        where: of the dataset in the config, for the message.

    Raises:
        DataNotFoundError: naming the annotation file, the first image that is missing, and their number.
    """
    for part in plain_datasets(dataset):
        if not part.ann_file or getattr(part, 'backend_args', None) or not getattr(part, 'reads_files', True):
            continue
        folders: dict[str, list[str]] = defaultdict(list)
        images = [part.get_data_info(index).get('img_path') for index in range(len(part))]
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
