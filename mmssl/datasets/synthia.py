"""SYNTHIA (RAND_CITYSCAPES): rendered street scenes with 16 of the 19 classes of Cityscapes."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmseg.datasets import CityscapesDataset

from mmssl.datasets.folder import FolderDataset
from mmssl.datasets.label_checks import check_ids, id_table
from mmssl.datasets.label_conversion import TRAIN_IDS_SUFFIX
from mmssl.datasets.transforms.loading import decode, read_bytes
from mmssl.errors import DataError
from mmssl.registry import DATASETS

# fmt: off
TRAIN_IDS = {
    3: 0, 4: 1, 2: 2, 21: 3, 5: 4, 7: 5, 15: 6, 9: 7, 6: 8, 1: 10, 10: 11, 17: 12, 8: 13, 19: 15, 12: 17, 11: 18,
}
"""SYNTHIA's class ids to Cityscapes' training ids; the others of 0 to 22 are ignored. No terrain, truck and train."""
# fmt: on

SYNTHIA_16 = tuple(
    name for index, name in enumerate(CityscapesDataset.METAINFO['classes']) if index in TRAIN_IDS.values()
)
"""The classes that SYNTHIA has (S2, table 4.4)."""
SYNTHIA_13 = tuple(name for name in SYNTHIA_16 if name not in ('wall', 'fence', 'pole'))
"""Those without wall, fence and pole, on which some papers report (S2, table 4.4)."""

_TABLE, _ALLOWED = id_table(19, {i: TRAIN_IDS.get(i, 255) for i in range(23)})
_ALLOWED[255] = False  # a published label has no 255


def read_synthia_label(path: str) -> np.ndarray:
    """Read a published label of GT/LABELS: 16 bits, class in the red channel, instance in the green one.

    OpenCV keeps the 16 bits; Pillow would cut them down to 8 without a word.

    Returns:
        (H, W) uint8, training ids 0 to 18, and 255 where ignored.

    Raises:
        DataNotFoundError: no such file.
        DataError: damaged, not of three channels of 16 bits, or with class ids above 22.
    """
    label = decode(read_bytes(path), path, 'unchanged', 'cv2')
    channels = 1 if label.ndim == 2 else label.shape[2]
    if label.dtype != np.uint16 or channels != 3:
        raise DataError(
            f'{path}: the label has {channels} channels of {8 * label.dtype.itemsize} bits; expected 3 of 16, the '
            'GT/LABELS of RAND_CITYSCAPES as published'
        )
    classes = label[..., 2]  # OpenCV's order is blue, green, red
    highest = int(classes.max())
    if highest > 255:
        raise DataError(f'{path}: the label holds the class id {highest}; expected 0..22')
    classes = classes.astype(np.uint8)
    check_ids(classes, _ALLOWED, path)
    return cv2.LUT(classes, _TABLE)


@DATASETS.register_module()
class SynthiaDataset(FolderDataset):
    """SYNTHIA-RAND-CITYSCAPES: 9,400 images of 760x1280 pixels with Cityscapes' 19 classes, three of them empty.

    Layout: ``RGB/*.png`` and ``GT/LABELS/*_labelTrainIds.png``, the masks that ``tools/dataset_converters/synthia.py``
    makes of the published labels of 16 bits. The three classes stay, so that a model has Cityscapes' 19; the metric's
    ``class_subsets`` gives the means over 16 and 13.

    Source: S2, section 3.3.4 (which counts 9,000 images); Ros et al., "The SYNTHIA Dataset", CVPR 2016.

    Args:
        data_root (str): Folder of RAND_CITYSCAPES.
        data_prefix (dict): ``img_path`` and ``seg_map_path``.
        img_suffix (str | Sequence[str]): Suffix of the images.
        seg_map_suffix (str): Suffix of the masks.
        **kwargs: The other arguments of :class:`FolderDataset`; the converter's ``GT/LABELS/usable.txt`` is an
            ``ann_file``.

    Raises:
        DataNotFoundError: A folder or list does not exist.
        DataError: Images and masks do not pair, or a list is wrong.
    """

    METAINFO = CityscapesDataset.METAINFO

    def __init__(
        self,
        *,
        data_root: str | None = 'data/synthia/',
        data_prefix: dict | None = None,
        img_suffix: str | Sequence[str] = '.png',
        seg_map_suffix: str = TRAIN_IDS_SUFFIX,
        **kwargs,
    ) -> None:
        super().__init__(
            data_root=data_root,
            data_prefix=data_prefix or {'img_path': 'RGB/', 'seg_map_path': 'GT/LABELS/'},
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            **kwargs,
        )
