"""Strict loading of images and masks: bad data stops with one line that names the file."""

import struct

import cv2
import mmcv
import mmengine.fileio as fileio
import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile
from PIL import Image, UnidentifiedImageError

from mmssl.datasets.file_checks import file_damage, png_layout
from mmssl.datasets.label_checks import IGNORED, check_ids, check_same_size, id_table, mask_to_uint8
from mmssl.errors import BrokenImageError, DataError, DataNotFoundError
from mmssl.registry import TRANSFORMS

# What decoders raise on broken files; SyntaxError: Pillow, on a broken PNG.
DECODER_ERRORS = (
    *(OSError, SyntaxError, RuntimeError, ValueError, TypeError, LookupError, EOFError, OverflowError, MemoryError),
    *(AttributeError, AssertionError, struct.error, cv2.error, Image.DecompressionBombError),
)


def read_bytes(path: str, backend_args: dict | None = None) -> bytes:
    """Read a whole image file and check that it is complete.

    Args:
        path (str): Path or address of the file.
        backend_args (dict, optional): File backend, as in :func:`mmengine.fileio.get`.

    Returns:
        bytes: The file.

    Raises:
        DataNotFoundError: There is no such file.
        BrokenImageError: It cannot be read, is empty, truncated or damaged.
    """
    try:
        data = fileio.get(path, backend_args=backend_args)
    except FileNotFoundError:
        raise DataNotFoundError(f'{path}: the file does not exist') from None
    except OSError as error:
        raise BrokenImageError(f'{path}: the file cannot be read ({error.strerror or error})') from None
    damage = file_damage(data)
    if damage:
        raise BrokenImageError(f'{path}: {damage}')
    return data


def decode(data: bytes, path: str, flag: str, backend: str) -> np.ndarray:
    """Decode an image file.

    Args:
        data (bytes): The file.
        path (str): Its path, for the error.
        flag (str): ``color``, ``grayscale``, ``unchanged``, as in :func:`mmcv.imfrombytes`.
        backend (str): Decoder, as in :func:`mmcv.imfrombytes`.

    Returns:
        np.ndarray: (H, W) or (H, W, C).

    Raises:
        BrokenImageError: The decoder does not understand the file.
    """
    try:
        image = mmcv.imfrombytes(data, flag=flag, backend=backend)
    except UnidentifiedImageError:
        image = None  # its text names the address of a buffer
    except DECODER_ERRORS as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise BrokenImageError(f'{path}: not a readable image ({len(data)} bytes, {backend}: {reason})') from None
    if image is None or not image.size:
        raise BrokenImageError(f'{path}: not a readable image ({len(data)} bytes, {backend})')
    return image


def decode_mask(data: bytes, path: str, backend: str) -> np.ndarray:
    """Decode the file of a mask to the ids that it holds.

    Decoders stretch a grey PNG of 1, 2 or 4 bits to 0..255, so that id 3 of 2 bits would be ignored; that is undone.
    Of several channels of 16 bits Pillow keeps the upper 8 bits, in which all ids are 0; that is refused.

    Args:
        data (bytes): The file.
        path (str): Its path, for the error.
        backend (str): Decoder, as in :func:`mmcv.imfrombytes`.

    Returns:
        np.ndarray: (H, W) or (H, W, C), as :func:`~mmssl.datasets.label_checks.mask_to_uint8` takes it.

    Raises:
        BrokenImageError: The decoder does not understand the file.
        DataError: It has several channels of 16 bits.
    """
    mask = decode(data, path, 'unchanged', backend)
    depth, colour = png_layout(data) or (8, 0)
    if depth == 16 and colour != 0:
        raise DataError(f'{path}: the mask has several channels of 16 bits; expected one channel that holds class ids')
    if depth < 8 and colour == 0 and mask.dtype == np.uint8:
        mask = mask // np.uint8(255 // (2**depth - 1))
    return mask


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Load an image, or stop with one line that names the file.

    mmcv's ``LoadImageFromFile`` raises without the file name where the decoder fails, and with some versions of
    OpenCV returns a truncated file as a partly grey image. There is no ``ignore_empty``: it would replace a bad
    sample by another one in silence.

    Adds ``img`` (H, W, 3) uint8 BGR in 0..255 (float32 if asked), ``img_shape`` and ``ori_shape`` (height, width).

    Args:
        to_float32 (bool): Whether to convert the image to float32.
        color_type (str): ``color``, ``grayscale`` or ``unchanged``.
        imdecode_backend (str): Decoder, as in :func:`mmcv.imfrombytes`.
        backend_args (dict, optional): File backend, as in :func:`mmengine.fileio.get`.
    """

    def __init__(
        self,
        *,
        to_float32: bool = False,
        color_type: str = 'color',
        imdecode_backend: str = 'cv2',
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(
            to_float32=to_float32,
            color_type=color_type,
            imdecode_backend=imdecode_backend,
            backend_args=backend_args,
        )

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']``.

        Args:
            results (dict): A sample with ``img_path``.

        Returns:
            dict: The sample with the image.

        Raises:
            DataNotFoundError: There is no such file.
            BrokenImageError: The file is empty, truncated, damaged or not an image.
        """
        path = results['img_path']
        image = decode(read_bytes(path, self.backend_args), path, self.color_type, self.imdecode_backend)
        if self.to_float32:
            image = image.astype(np.float32)
        results['img'] = image
        results['img_shape'] = image.shape[:2]
        results['ori_shape'] = image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadSegAnnotations(BaseTransform):
    """Load a mask of class ids, or stop with one line that names the file.

    It replaces mmseg's ``LoadAnnotations``, which casts 16-bit ids to 8 bits (256 becomes class 0), accepts masks in
    colour and of another size, lets ids without a class through (the metric then drops those pixels in silence), and
    loses the name of an unreadable file. ``label_map`` and ``reduce_zero_label`` of the dataset mean the same here.

    Adds ``gt_seg_map`` (H, W) uint8: classes 0..num_classes-1, and 255 where ignored.

    Args:
        num_classes (int, optional): Number of classes after ``label_map``. Default: what the dataset puts into the
            sample; the datasets of mmssl do, those of mmseg do not.
        ignore_index (int): The id of ignored pixels in the files; it becomes 255. 255 itself is always ignored.
        imdecode_backend (str): Decoder, as in :func:`mmcv.imfrombytes`. Pillow keeps the ids of palette files.
        backend_args (dict, optional): File backend, as in :func:`mmengine.fileio.get`.
    """

    def __init__(
        self,
        *,
        num_classes: int | None = None,
        ignore_index: int = IGNORED,
        imdecode_backend: str = 'pillow',
        backend_args: dict | None = None,
    ) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.imdecode_backend = imdecode_backend
        self.backend_args = backend_args
        self._tables: dict[tuple, tuple[np.ndarray, np.ndarray, bool]] = {}

    def _table(self, results: dict) -> tuple[np.ndarray, np.ndarray, bool]:
        num_classes = self.num_classes if self.num_classes is not None else results.get('num_classes')
        label_map = results.get('label_map')
        reduce_zero_label = results.get('reduce_zero_label', False)
        # One sample's tables serve all of its dataset; two datasets may share a pipeline.
        key = (num_classes, None if label_map is None else tuple(label_map.items()), reduce_zero_label)
        if key not in self._tables:
            table, allowed = id_table(num_classes, label_map, reduce_zero_label, self.ignore_index)
            same = bool(np.array_equal(table[allowed], np.flatnonzero(allowed)))
            self._tables[key] = table, allowed, same
        return self._tables[key]

    def transform(self, results: dict) -> dict:
        """Load ``results['seg_map_path']``.

        Args:
            results (dict): A sample with ``seg_map_path``; ``ori_shape`` where the image is loaded already.

        Returns:
            dict: The sample with the mask.

        Raises:
            DataNotFoundError: There is no such file, or the sample has no mask.
            BrokenImageError: The file cannot be read.
            DataError: The mask is in colour, has ids outside the classes or another size.
        """
        path = results.get('seg_map_path')
        if path is None:
            raise DataNotFoundError(f'{results.get("img_path")}: the image has no mask; expected one to load')
        table, allowed, same = self._table(results)
        mask = decode_mask(read_bytes(path, self.backend_args), path, self.imdecode_backend)
        mask = mask_to_uint8(mask, path)
        if 'ori_shape' in results:
            check_same_size(mask.shape, results['ori_shape'][:2], path, results.get('img_path', ''))
        check_ids(mask, allowed, path)
        results['gt_seg_map'] = mask if same else cv2.LUT(mask, table)
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_classes={self.num_classes}, ignore_index={self.ignore_index}, '
            f"imdecode_backend='{self.imdecode_backend}', backend_args={self.backend_args})"
        )
