"""Images without masks."""

import os.path as osp
from collections.abc import Sequence

from mmengine.dataset import BaseDataset

from mmssl.datasets.folder import list_stems
from mmssl.datasets.split_list import first_few, read_split_list, resolve_names
from mmssl.errors import DataError, DataNotFoundError
from mmssl.registry import DATASETS


@DATASETS.register_module()
class UnlabeledDataset(BaseDataset):
    """Images of one folder or several, subfolders included; masks are neither looked for nor opened.

    Args:
        data_root (str, optional): Folder that the other paths are relative to.
        data_prefix (dict): ``img_path``, the folder of the images, or a list of folders.
        ann_file (str): List of the images to use, one a line (:func:`read_split_list`), relative to the folder or
            to any of them. Default: all.
        img_suffix (str | Sequence[str]): Suffix or suffixes of the images.
        metainfo (dict, optional): ``classes`` and ``palette`` of the labelled images they go with.
        backend_args (dict, optional): File backend, as in :func:`mmengine.fileio.get`.
        **kwargs: The other arguments of :class:`mmengine.dataset.BaseDataset`.

    Raises:
        DataNotFoundError: The data root, a folder or the list does not exist.
        DataError: A folder has no images, the list names images that do not exist, or there is a list and two
            folders have an image of the same name.
        ValueError: ``data_prefix`` has other keys.
    """

    def __init__(
        self,
        *,
        data_root: str | None = None,
        data_prefix: dict | None = None,
        ann_file: str = '',
        img_suffix: str | Sequence[str] = ('.jpg', '.jpeg', '.png'),
        metainfo: dict | None = None,
        backend_args: dict | None = None,
        **kwargs,
    ) -> None:
        data_prefix = dict(data_prefix) if data_prefix else {'img_path': ''}
        if set(data_prefix) != {'img_path'}:
            raise ValueError(f'data_prefix has the keys {sorted(data_prefix)}; expected img_path alone')
        if data_root and not osp.isdir(data_root) and backend_args is None:
            raise DataNotFoundError(f'{data_root}: the data root does not exist')
        self.img_suffixes = (img_suffix,) if isinstance(img_suffix, str) else tuple(img_suffix)
        self.backend_args = backend_args
        super().__init__(data_root=data_root, data_prefix=data_prefix, ann_file=ann_file, metainfo=metainfo, **kwargs)

    def _join_prefix(self) -> None:
        """Put the data root before each folder; mmengine takes one folder only (0.10.7)."""
        folders = self.data_prefix['img_path']
        self.data_prefix = {}
        super()._join_prefix()  # ann_file
        folders = [folders] if isinstance(folders, str) else list(folders)
        self.data_prefix['img_path'] = [osp.join(self.data_root or '', folder) for folder in folders]

    def load_data_list(self) -> list[dict]:
        """Find the images.

        Returns:
            list[dict]: One an image, in the order of ``ann_file`` or of the folders and names: ``img_path``, and for
            the transforms of mmseg ``seg_fields`` (empty) and ``reduce_zero_label`` (False).
        """
        folders = self.data_prefix['img_path']
        paths: list[str] = []
        by_stem: dict[str, str] = {}
        for folder in folders:
            images = list_stems(folder, self.img_suffixes, self.backend_args)
            if not images:
                ends = ' or '.join(self.img_suffixes)
                raise DataError(f'{folder}: no image there; expected files that end with {ends}')
            twice = [stem for stem in images if stem in by_stem] if self.ann_file else []
            if twice:
                raise DataError(
                    f'{self.ann_file}: {twice[0]} may be {by_stem[twice[0]]} or {osp.join(folder, images[twice[0]])}; '
                    'expected one image of a name where there is a list'
                )
            by_stem.update((stem, osp.join(folder, name)) for stem, name in images.items())
            paths.extend(osp.join(folder, name) for name in images.values())
        if self.ann_file:
            names = read_split_list(self.ann_file)
            stems, unknown = resolve_names(names, by_stem, self.img_suffixes)
            if unknown:
                raise DataError(
                    f'{self.ann_file}: {len(unknown)} of {len(names)} names have no image in {", ".join(folders)} '
                    f'({first_few(unknown)})'
                )
            paths = [by_stem[stem] for stem in stems]
        return [{'img_path': path, 'seg_fields': [], 'reduce_zero_label': False} for path in paths]
