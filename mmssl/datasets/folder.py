"""A folder of images and one of masks, in pairs."""

import os.path as osp
from collections import Counter
from collections.abc import Sequence

from mmengine import fileio
from mmseg.datasets import BaseSegDataset

from mmssl.datasets.class_list import read_class_list
from mmssl.datasets.label_checks import IGNORED
from mmssl.datasets.split_list import first_few, read_split_list, resolve_names, strip_suffix
from mmssl.errors import DataError, DataNotFoundError
from mmssl.registry import DATASETS


def list_stems(folder: str, suffixes: Sequence[str], backend_args: dict | None = None) -> dict[str, str]:
    """Find the files of a folder and its subfolders that end with one of some suffixes.

    Args:
        folder (str): Folder to search; hidden files are left out.
        suffixes (Sequence[str]): For example ``('.jpg', '.png')`` or ``('_leftImg8bit.png',)``.
        backend_args (dict, optional): File backend, as in :func:`mmengine.fileio.get`.

    Returns:
        dict[str, str]: Stem to file name, both relative to the folder with ``/``, sorted by stem. The stem is the
        file name without the suffix.

    Raises:
        DataNotFoundError: The folder does not exist.
        DataError: Two files have the same stem.
    """
    if not fileio.isdir(folder, backend_args=backend_args):
        raise DataNotFoundError(f'{folder}: the folder does not exist')
    stems: dict[str, str] = {}
    names = fileio.list_dir_or_file(
        folder, list_dir=False, suffix=tuple(suffixes), recursive=True, backend_args=backend_args
    )
    for name in sorted(name.replace('\\', '/') for name in names):
        stem = strip_suffix(name, suffixes)
        if stem in stems:
            raise DataError(f'{folder}: {stems[stem]} and {name} have the same name; expected one file a name')
        stems[stem] = name
    return dict(sorted(stems.items()))


@DATASETS.register_module()
class FolderDataset(BaseSegDataset):
    """Images and masks of one's own, in two folders.

    An image and its mask have the same path below their folders, apart from the suffixes. mmseg's ``BaseSegDataset``,
    which this is, pairs by the name of the image alone and meets a missing mask in the middle of the training; here
    the pairs are checked when the dataset is built, and every fault is one line. Masks are not opened until they are
    loaded: use :class:`LoadSegAnnotations`, which checks them.

    Args:
        data_root (str, optional): Folder that the other paths are relative to.
        data_prefix (dict): ``img_path``, the folder of the images, and ``seg_map_path``, that of the masks.
        ann_file (str): List of the images to use, one a line (:func:`read_split_list`). Default: all.
        img_suffix (str | Sequence[str]): Suffix or suffixes of the images.
        seg_map_suffix (str): Suffix of the masks.
        metainfo (dict, optional): ``classes``, the names in the order of their ids, and ``palette``, their RGB colours.
        classes_file (str, optional): Text file with a class a line, ``name`` or ``name r g b``, in place of
            ``metainfo``. Default: ``classes.txt`` in the data root, when ``metainfo`` has no classes.
        ignore_index (int): The id in the mask files that stands for "no class"; it is loaded as 255, which is
            ignored always. It must not be the id of a class.
        reduce_zero_label (bool): Whether id 0 is the background to ignore and the classes start at id 1.
        allow_missing_masks (bool): Whether images without a mask are used too, for prediction; only with
            ``test_mode=True``, and with a pipeline that loads no masks.
        **kwargs: The other arguments of :class:`mmseg.datasets.BaseSegDataset`.

    Raises:
        DataNotFoundError: The data root, a folder, a list or the class list does not exist.
        DataError: There are no images, images without a mask, masks without an image, or a list is wrong.
        ValueError: Options contradict each other.
    """

    def __init__(
        self,
        *,
        data_root: str | None = None,
        data_prefix: dict | None = None,
        ann_file: str = '',
        img_suffix: str | Sequence[str] = ('.jpg', '.jpeg', '.png'),
        seg_map_suffix: str = '.png',
        metainfo: dict | None = None,
        classes_file: str | None = None,
        ignore_index: int = IGNORED,
        reduce_zero_label: bool = False,
        allow_missing_masks: bool = False,
        test_mode: bool = False,
        **kwargs,
    ) -> None:
        if allow_missing_masks and not test_mode:
            raise ValueError('allow_missing_masks=True needs test_mode=True: a training needs the masks')
        data_prefix = dict(data_prefix) if data_prefix else {'img_path': 'images', 'seg_map_path': 'masks'}
        unknown = set(data_prefix) - {'img_path', 'seg_map_path'}
        if unknown or 'img_path' not in data_prefix:
            raise ValueError(f'data_prefix has the keys {sorted(data_prefix)}; expected img_path and seg_map_path')
        if 'seg_map_path' not in data_prefix and not allow_missing_masks:
            raise ValueError('data_prefix has no seg_map_path, the folder of the masks')
        self.img_suffixes = (img_suffix,) if isinstance(img_suffix, str) else tuple(img_suffix)
        self.allow_missing_masks = allow_missing_masks
        if data_root and not fileio.isdir(data_root, backend_args=kwargs.get('backend_args')):
            raise DataNotFoundError(f'{data_root}: the data root does not exist')
        super().__init__(
            ann_file=ann_file,
            img_suffix=self.img_suffixes[0],
            seg_map_suffix=seg_map_suffix,
            metainfo=self._with_classes(metainfo, classes_file, data_root),
            data_root=data_root,
            data_prefix=data_prefix,
            ignore_index=ignore_index,
            reduce_zero_label=reduce_zero_label,
            test_mode=test_mode,
            **kwargs,
        )

    @classmethod
    def _with_classes(cls, metainfo: dict | None, classes_file: str | None, data_root: str | None) -> dict:
        metainfo = dict(metainfo or {})
        if classes_file and 'classes' in metainfo:
            raise ValueError('classes are given by metainfo and by classes_file; expected one of them')
        if 'classes' in metainfo or (cls.METAINFO.get('classes') and not classes_file):
            return metainfo
        path = osp.join(data_root or '', classes_file or 'classes.txt')
        if not osp.isfile(path):
            raise DataNotFoundError(f'{path}: the class list does not exist; expected it, or metainfo.classes')
        return {**read_class_list(path), **metainfo}

    def _file_label_map(self) -> dict[int, int] | None:
        """The label map of the classes, with the ignored id of the files in it."""
        if self.ignore_index == IGNORED:
            return self.label_map
        classes = self.METAINFO.get('classes') or self.metainfo['classes']
        # mmseg applies the label map after reduce_zero_label has decreased the ids by one.
        ignored = self.ignore_index - 1 if self.reduce_zero_label else self.ignore_index
        if 0 <= ignored < len(classes):
            raise ValueError(f'ignore_index={self.ignore_index} is the id of the class {classes[ignored]}')
        return {**(self.label_map or {i: i for i in range(len(classes))}), ignored: IGNORED}

    def load_data_list(self) -> list[dict]:
        """Pair images with masks and check that none is missing.

        Returns:
            list[dict]: One a sample, in the order of ``ann_file`` or of the names: ``img_path``, ``seg_map_path``
            (where there is a mask), ``label_map``, ``reduce_zero_label``, ``num_classes``, ``seg_fields``.
        """
        img_dir, ann_dir = self.data_prefix['img_path'], self.data_prefix.get('seg_map_path')
        if ann_dir and osp.normpath(img_dir) == osp.normpath(ann_dir) and self.seg_map_suffix in self.img_suffixes:
            raise DataError(f'{img_dir}: images and masks lie in one folder and both end with {self.seg_map_suffix}')
        images = list_stems(img_dir, self.img_suffixes, self.backend_args)
        masks = {}
        if ann_dir and not (self.allow_missing_masks and not fileio.isdir(ann_dir, backend_args=self.backend_args)):
            masks = list_stems(ann_dir, (self.seg_map_suffix,), self.backend_args)
        if ann_dir and osp.normpath(img_dir) == osp.normpath(ann_dir):
            images = {stem: name for stem, name in images.items() if not name.endswith(self.seg_map_suffix)}
        if not images:
            raise DataError(f'{img_dir}: no image there; expected files that end with {" or ".join(self.img_suffixes)}')

        stems, label_map = self._select(images, img_dir), self._file_label_map()
        without_mask = [images[stem] for stem in stems if stem not in masks]
        if without_mask and not self.allow_missing_masks:
            raise DataError(
                f'{img_dir}: {len(without_mask)} of {len(stems)} images have no mask in {ann_dir} '
                f'({first_few(without_mask)}); expected names that end with {self.seg_map_suffix}'
            )
        without_image = [name for stem, name in masks.items() if stem not in images]
        if without_image and not self.ann_file:
            raise DataError(
                f'{ann_dir}: {len(without_image)} of {len(masks)} masks have no image in {img_dir} '
                f'({first_few(without_image)})'
            )
        return [self._sample(images[stem], masks.get(stem), label_map) for stem in stems]

    def _select(self, images: dict[str, str], img_dir: str) -> list[str]:
        if not self.ann_file:
            return list(images)
        names = read_split_list(self.ann_file)
        stems, unknown = resolve_names(names, images, self.img_suffixes)
        if unknown:
            raise DataError(
                f'{self.ann_file}: {len(unknown)} of {len(names)} names have no image in {img_dir} '
                f'({first_few(unknown)})'
            )
        if len(set(stems)) < len(stems):
            twice = [stem for stem, count in Counter(stems).items() if count > 1]
            raise DataError(f'{self.ann_file}: {len(twice)} images are named twice ({first_few(twice)})')
        return stems

    def _sample(self, image: str, mask: str | None, label_map: dict[int, int] | None) -> dict:
        sample = {
            'img_path': osp.join(self.data_prefix['img_path'], image),
            'label_map': label_map,
            'reduce_zero_label': self.reduce_zero_label,
            'num_classes': len(self.metainfo['classes']),
            'seg_fields': [],
        }
        if mask is not None:
            sample['seg_map_path'] = osp.join(self.data_prefix['seg_map_path'], mask)
        return sample
