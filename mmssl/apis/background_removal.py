"""Remove the background of images (S3, section 3.3.3)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from mmssl.apis.mask_prediction import Instances, MaskPredictor
from mmssl.datasets.transforms.loading import decode, read_bytes
from mmssl.errors import DataError
from mmssl.evaluation.cutouts import BACKGROUNDS, INSTANCES, class_ids, cut_out, union_mask

NO_INSTANCE = ('empty', 'keep', 'fail')
Name = TypeVar('Name')


def read_image(path: str | Path) -> np.ndarray:
    """Read an image as mmdet's pipelines do: in colour, of 8 bits, turned as its EXIF says.

    Args:
        path: image file.

    Returns:
        (H, W, 3), uint8, BGR.

    Raises:
        DataNotFoundError: no such file.
        DataError: empty, truncated, damaged or not an image.
    """
    return decode(read_bytes(str(path)), str(path), 'color', 'cv2')


class BackgroundRemover:
    """Predict instances and replace everything around them, at full resolution.

    Args:
        predictor: finds the instances (:class:`mmssl.apis.mask_prediction.MaskPredictor`).
        instances: what stays: ``'all'``, ``'largest'`` or names of classes.
        background: ``'black'``, ``'white'``, ``'blur'`` or ``'transparent'``, as :func:`cut_out` makes them.
        no_instance: what becomes of an image where nothing is found: ``'empty'``, all of it is background; ``'keep'``,
            it stays as it is; ``'fail'``, an error. A mask without a single pixel is none.
        batch_size: images that are predicted at once, on a GPU; more than 1 gains nothing on a CPU.

    Raises:
        ValueError: an option that does not exist, or a class that the model does not know.
    """

    def __init__(
        self,
        predictor: MaskPredictor,
        *,
        instances: str | Sequence[str] = 'all',
        background: str = 'black',
        no_instance: str = 'empty',
        batch_size: int = 1,
    ):
        for name, value, known in (
            ('background', background, BACKGROUNDS),
            ('no_instance', no_instance, NO_INSTANCE),
        ):
            if value not in known:
                raise ValueError(f'{name} is {value!r}, expected {", ".join(known)}')
        if batch_size < 1:
            raise ValueError(f'batch_size is {batch_size}, expected at least 1')
        if instances not in INSTANCES:
            if predictor.classes is None:
                raise ValueError('instances are classes, but neither checkpoint nor config names any; expected all')
            instances = class_ids(instances, predictor.classes)
        self.predictor, self.instances, self.background = predictor, instances, background
        self.no_instance, self.batch_size = no_instance, batch_size

    def __call__(self, images: np.ndarray | str | Path | Iterable[np.ndarray | str | Path]):
        """Remove the background of one image, or of many.

        Args:
            images: (H, W, 3) uint8 BGR, or a path, or several of them in any iterable.

        Returns:
            The cut-out, (H, W, 3) or with ``'transparent'`` (H, W, 4), uint8, BGR(A); of several an iterator, which
            holds no more than a batch.

        Raises:
            DataError: an image that cannot be read or, with ``'fail'``, without an instance.
        """
        if isinstance(images, (np.ndarray, str, Path)):
            return next(self._cut_all([images]))
        return self._cut_all(images)

    def _cut_all(self, images: Iterable) -> Iterator[np.ndarray]:
        loaded = ((None, each if isinstance(each, np.ndarray) else read_image(each)) for each in images)
        for _, result in self.stream(loaded):
            if isinstance(result, DataError):
                raise result
            yield result

    def stream(self, images: Iterable[tuple[Name, np.ndarray]]) -> Iterator[tuple[Name, np.ndarray | DataError]]:
        """Cut out one image after the other and forget it; one that fails does not end the stream.

        Args:
            images: name and image, (H, W, 3) uint8 BGR.

        Yields:
            Name and cut-out, or the error in its place, in the order of the images.
        """
        images = iter(images)
        while batch := list(islice(images, self.batch_size)):
            prepared = [self._prepare(image) for _, image in batch]
            usable = [sample for sample in prepared if not isinstance(sample, DataError)]
            found = iter(self.predictor.predict(usable) if usable else ())
            batch.reverse()
            for sample in prepared:
                name, image = batch.pop()
                yield name, sample if isinstance(sample, DataError) else self._cut(image, next(found))
            del name, image, prepared, usable, found, sample  # before the next batch is read

    def _prepare(self, image: np.ndarray) -> dict | DataError:
        try:
            return self.predictor.prepare(image)
        except DataError as error:
            return error

    def _cut(self, image: np.ndarray, found: Instances) -> np.ndarray | DataError:
        mask = union_mask(found.masks, found.labels, self.instances).cpu().numpy()
        if self.no_instance != 'empty' and not mask.any():
            if self.no_instance == 'fail':
                return DataError('no instance found')
            mask = np.ones_like(mask)
        return cut_out(image, mask, self.background)
