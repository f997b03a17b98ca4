"""GTA5: street scenes of a computer game with the classes of Cityscapes."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmseg.datasets import CityscapesDataset

from mmssl.datasets.folder import FolderDataset
from mmssl.datasets.label_checks import check_ids, id_table, mask_to_uint8
from mmssl.datasets.label_conversion import TRAIN_IDS_SUFFIX
from mmssl.datasets.transforms.loading import decode, read_bytes
from mmssl.registry import DATASETS

# fmt: off
TRAIN_IDS = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13, 27: 14, 28: 15,
    31: 16, 32: 17, 33: 18,
}
"""Cityscapes' label ids to its training ids; the other labels, of 0 to 34, are ignored."""
# fmt: on

_TABLE, _ALLOWED = id_table(19, {i: TRAIN_IDS.get(i, 255) for i in range(35)})
_ALLOWED[255] = False  # a published label has no 255


def read_gta5_label(path: str) -> np.ndarray:
    """Read a published label, a palette PNG whose indices are Cityscapes' label ids 0 to 34.

    Returns:
        (H, W) uint8, training ids 0 to 18, and 255 where ignored.

    Raises:
        DataNotFoundError: no such file.
        DataError: damaged, in colour, of 16 bits with large ids, or with ids above 34.
    """
    label = mask_to_uint8(decode(read_bytes(path), path, 'unchanged', 'pillow'), path)
    check_ids(label, _ALLOWED, path)
    return cv2.LUT(label, _TABLE)


@DATASETS.register_module()
class GTA5Dataset(FolderDataset):
    """GTA5: 24,966 images, mostly of 1052x1914 pixels, with Cityscapes' 19 classes.

    Layout: ``images/*.png`` and ``labels/*_labelTrainIds.png``, the masks that
    ``tools/dataset_converters/gta5.py`` makes of the published labels.

    Source: S2, section 3.3.3; Richter, Vineet, Roth, Koltun, "Playing for Data", ECCV 2016.

    Args:
        data_root (str): Folder of GTA5.
        data_prefix (dict): ``img_path`` and ``seg_map_path``.
        img_suffix (str | Sequence[str]): Suffix of the images.
        seg_map_suffix (str): Suffix of the masks.
        **kwargs: The other arguments of :class:`FolderDataset`; the converter's ``labels/usable.txt`` is an
            ``ann_file``.

    Raises:
        DataNotFoundError: A folder or list does not exist.
        DataError: Images and masks do not pair, or a list is wrong.
    """

    METAINFO = CityscapesDataset.METAINFO

    def __init__(
        self,
        *,
        data_root: str | None = 'data/gta5/',
        data_prefix: dict | None = None,
        img_suffix: str | Sequence[str] = '.png',
        seg_map_suffix: str = TRAIN_IDS_SUFFIX,
        **kwargs,
    ) -> None:
        super().__init__(
            data_root=data_root,
            data_prefix=data_prefix or {'img_path': 'images/', 'seg_map_path': 'labels/'},
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            **kwargs,
        )
