"""Procedural street scenes: the embedded default data."""

import re
from collections.abc import Callable, Sequence

from mmseg.datasets import BaseSegDataset

from mmssl.datasets.camvid import CamVidDataset
from mmssl.datasets.rendering import check_request
from mmssl.datasets.split_list import first_few, read_split_list
from mmssl.errors import DataError
from mmssl.registry import DATASETS

SPLIT_STARTS = {'train': 0, 'val': 2**31}
"""First index of each split in :func:`render_street_scene`; a split holds fewer than 2**31 scenes, so none meet."""


def scene_name(style: str, number: int) -> str:
    """Name of a scene in lists and files: ``photo_000012`` is the thirteenth of its split."""
    return f'{style}_{number:06d}'


def scene_index(split: str, number: int) -> int:
    """Index in :func:`render_street_scene` of a scene of a split.

    Args:
        split (str): 'train' or 'val'.
        number (int): Number of the scene in the split, 0 to 2**31 - 1.

    Returns:
        int: The index; those of two splits are never the same.

    Raises:
        ValueError: The split is unknown or the number is outside the range.
    """
    if split not in SPLIT_STARTS:
        raise ValueError(f'split is {split!r}, expected one of {tuple(SPLIT_STARTS)}')
    if not 0 <= number < 2**31:
        raise ValueError(f'scene number is {number}, expected 0 to {2**31 - 1}')
    return SPLIT_STARTS[split] + number


@DATASETS.register_module()
class StreetScenesDataset(BaseSegDataset):
    """Procedural street scenes with the classes and the palette of CamVid; nothing is read from disk.

    A sample is a request, ``(seed, index, style, size)``, which the transform :class:`LoadStreetScene` renders. Both
    styles of one seed show the same streets with the same masks, so a benchmark of domain adaptation must give source
    and target two seeds. The splits of one seed never share a street.

    ``img_path`` of a sample is its name, such as ``photo_000012.png``, not a file; to have files, write the dataset
    with ``tools/dataset_converters/street_scenes.py``.

    Args:
        num_images (int): Number of scenes in the split, at least 1.
        seed (int): Number of the collection, at least 0.
        style (str): 'game' (flat, clean) or 'photo' (texture, light, blur, noise).
        size (Sequence[int]): Height and width, pixels, each at least 64.
        split (str): 'train' or 'val'.
        ann_file (str): Text list of the scenes to use, one name a line (``photo_000012``), for label fractions.
            Default: all ``num_images``.
        pipeline (Sequence[dict | Callable]): Transforms; the first is ``dict(type='mmssl.LoadStreetScene')``.
        metainfo (dict, optional): ``classes`` may name a subset of the classes; the others are ignored.
        indices (int | Sequence[int], optional): Only the first few samples, or these.
        test_mode (bool): Whether a sample that fails raises at once.
        serialize_data (bool): Whether workers share the list of samples.
        lazy_init (bool): Whether the list of samples is made later, by ``full_init``.
        max_refetch (int): How often another sample is tried in place of one that a transform turned down.

    Raises:
        ValueError: For an argument outside of these ranges.
        DataError: A name in the list is not one of this dataset's scenes.
    """

    METAINFO = CamVidDataset.METAINFO

    reads_files = False  # names of its lists are no files to look for

    def __init__(
        self,
        *,
        num_images: int = 1000,
        seed: int = 0,
        style: str = 'game',
        size: Sequence[int] = (240, 320),
        split: str = 'train',
        ann_file: str = '',
        pipeline: Sequence[dict | Callable] = (),
        metainfo: dict | None = None,
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
        serialize_data: bool = True,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        if num_images < 1:
            raise ValueError(f'num_images is {num_images}, expected at least 1')
        self.size = check_request(seed, scene_index(split, num_images - 1), size, style)
        self.num_images = num_images
        self.seed = seed
        self.style = style
        self.split = split
        super().__init__(
            ann_file=ann_file,
            img_suffix='.png',
            metainfo=metainfo,
            pipeline=list(pipeline),
            indices=indices,
            test_mode=test_mode,
            serialize_data=serialize_data,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
        )

    def load_data_list(self) -> list[dict]:
        """List the requests of this dataset, in the order of the list or of their numbers."""
        return [
            {
                'img_path': scene_name(self.style, number) + self.img_suffix,
                'seg_map_path': None,
                'seed': self.seed,
                'index': scene_index(self.split, number),
                'style': self.style,
                'size': self.size,
                'label_map': self.label_map,
                'reduce_zero_label': self.reduce_zero_label,
                'seg_fields': [],
            }
            for number in self._numbers()
        ]

    def _numbers(self) -> Sequence[int]:
        if not self.ann_file:
            return range(self.num_images)
        names = read_split_list(self.ann_file)
        found = [re.fullmatch(rf'{self.style}_(\d{{6,10}})(\.png)?', name) for name in names]
        unknown = [n for n, m in zip(names, found, strict=True) if not m or int(m[1]) >= self.num_images]
        if unknown:
            first, last = scene_name(self.style, 0), scene_name(self.style, self.num_images - 1)
            raise DataError(f'{self.ann_file}: no scenes {first_few(unknown)}; expected names from {first} to {last}')
        return [int(match[1]) for match in found]
