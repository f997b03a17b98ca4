"""Train on in spite of a few broken images: each is replaced, named, and counted against a limit."""

import logging

import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.dist import get_dist_info
from mmengine.logging import print_log

from mmssl.datasets.plain_datasets import plain_datasets
from mmssl.datasets.split_list import first_few
from mmssl.datasets.transforms.loading import LoadImage, LoadSegAnnotations, decode, read_bytes
from mmssl.errors import BrokenImageError, DataError
from mmssl.registry import DATASETS


@DATASETS.register_module()
class SkipBrokenImages:
    """Replace samples whose files cannot be read by others, up to a limit.

    Without it the first broken image stops a training. Broken is an image or a mask that is there and empty, truncated,
    damaged, or no image to its decoder (:class:`~mmssl.errors.BrokenImageError`). What is wrong with the data otherwise
    still stops the run: a file that is missing, ids without a class, a mask of another size.

    The replacement is drawn from numpy's global generator: with the loops of mmssl, which seed it for each sample, a
    resumed run draws the same. Every broken sample is named once in the log, by the rank that met it. The count is one
    for all workers of a rank, and each rank counts what it meets itself.

    Loaders of the hosts read a truncated JPEG as a partly grey image, or fail without its name; files that they are
    about to load are looked at before, which reads them twice.

    Args:
        dataset: config of a training dataset of mmseg's, mmdet's or mmpretrain's kind, or the dataset; a wrapper of
            mmengine too. Of pairs or tasks each side is wrapped by itself.
        max_fraction: share of the samples that may be broken, 0 to below 1; rounded down to a number of samples.

    Raises:
        DataError: from a sample, when more are broken; names the number, the limit and the first files.
        ValueError: ``max_fraction`` is outside its range; the dataset is for evaluation, whose images all count; it
            has several sides; or a loader replaces images itself (``ignore_empty``).
    """

    def __init__(self, *, dataset, max_fraction: float = 0.01) -> None:
        if not 0 <= max_fraction < 1:
            raise ValueError(f'SkipBrokenImages: max_fraction={max_fraction}, expected 0 to below 1')
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        if hasattr(self.dataset, 'labeled') or hasattr(self.dataset, 'sides'):
            raise ValueError(f'SkipBrokenImages: dataset is {type(self.dataset).__name__}, expected one of its sides')
        self.max_fraction = max_fraction
        self.rank, self.world_size = get_dist_info()
        self._broken: torch.Tensor | None = None
        self._hosts = False
        for part in plain_datasets(self.dataset):
            self._look_at_pipeline(part)
        self.full_init()

    def _look_at_pipeline(self, part) -> None:
        if part.test_mode:
            raise ValueError('SkipBrokenImages: the dataset has test_mode=True; expected one to train on')
        for transform in part.pipeline.transforms:
            if getattr(transform, 'ignore_empty', False):
                raise ValueError(
                    f'SkipBrokenImages: {type(transform).__name__} has ignore_empty=True, which replaces images '
                    'without a word; expected False'
                )
            loads_image = isinstance(transform, LoadImageFromFile) and not isinstance(transform, LoadImage)
            # by the hosts' convention; mmseg's and mmdet's do not share a class with a mask in it
            loads_mask = type(transform).__name__ == 'LoadAnnotations'
            self._hosts |= loads_image or loads_mask

    @property
    def metainfo(self) -> dict:
        """That of the dataset."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Read the list of the dataset, where it was not."""
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()
        if self._broken is None or len(self._broken) != len(self.dataset):
            # One byte a sample: workers that set the same one at a time lose nothing, so that no lock is needed.
            self._broken = torch.zeros(len(self.dataset), dtype=torch.uint8).share_memory_()

    def __len__(self) -> int:
        return len(self.dataset)

    def get_data_info(self, index: int) -> dict:
        """What is known of a sample before its pipeline."""
        return self.dataset.get_data_info(index)

    def get_cat_ids(self, index: int) -> list[int]:
        """Classes of a sample, for mmengine's ``ClassBalancedDataset``."""
        return self.dataset.get_cat_ids(index)

    @property
    def limit(self) -> int:
        """Number of samples that may be broken."""
        return int(self.max_fraction * len(self))

    @property
    def broken(self) -> list[str]:
        """Images of the samples that were found broken by this rank, in the order of the dataset."""
        return [self._name(index) for index in self._broken.nonzero().flatten().tolist()]

    def __getitem__(self, index: int):
        """A sample, or another one in place of a broken one.

        Raises:
            DataError: more samples are broken than allowed.
        """
        if not -len(self) <= index < len(self):  # also ends a plain loop over the dataset
            raise IndexError(f'SkipBrokenImages: index {index}, expected one below {len(self)}')
        while True:
            try:
                return self._load(index)
            except BrokenImageError as error:
                self._count(index % len(self), error)
            # A broken sample is tried again each time, so that draws depend on the generator alone.
            index = int(np.random.randint(len(self)))

    def _load(self, index: int):
        if not self._hosts:
            return self.dataset[index]
        files = self._files(index)
        for path, backend_args in files:
            read_bytes(path, backend_args)
        try:
            return self.dataset[index]
        except DataError:
            raise
        except Exception:
            for path, backend_args in files:
                decode(read_bytes(path, backend_args), path, 'unchanged', 'cv2')
            raise  # the files are fine

    def _files(self, index: int) -> list[tuple[str, dict | None]]:
        info = self.dataset.get_data_info(index)
        part = next(plain_datasets(self.dataset))
        loaders = [
            transform
            for transform in part.pipeline.transforms
            if isinstance(transform, (LoadImageFromFile, LoadSegAnnotations))
            or type(transform).__name__ == 'LoadAnnotations'
        ]
        files = []
        for loader in loaders:
            key = 'img_path' if isinstance(loader, LoadImageFromFile) else 'seg_map_path'
            if isinstance(info.get(key), str):
                files.append((info[key], getattr(loader, 'backend_args', None)))
        return files

    def _name(self, index: int) -> str:
        return str(self.get_data_info(index).get('img_path', f'sample {index}'))

    def _count(self, index: int, error: BrokenImageError) -> None:
        rank = f'rank {self.rank}: ' if self.world_size > 1 else ''
        if not self._broken[index]:
            self._broken[index] = 1
            # mmengine shows only errors of the other ranks.
            level = logging.ERROR if self.rank else logging.WARNING
            number = int(self._broken.sum())
            print_log(
                f'SkipBrokenImages: {rank}{error}; another sample takes its place ({number} of at most {self.limit})',
                logger='current',
                level=level,
            )
        number = int(self._broken.sum())
        if number > self.limit:
            raise DataError(
                f'{rank}{number} of {len(self)} samples are broken, max_fraction={self.max_fraction} allows '
                f'{self.limit}: {first_few(self.broken)}; the last: {error}'
            )
