"""The samples of a dataset, and what is wrong with its lists, folders and paths: everything, not the first fault."""

import os.path as osp
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from mmssl.datasets.audit.finding import ERROR, WARNING, Finding
from mmssl.datasets.folder import FolderDataset, list_stems
from mmssl.datasets.split_list import IMAGE_SUFFIXES, resolve_names
from mmssl.datasets.unlabeled import UnlabeledDataset
from mmssl.errors import DataError, one_line

BUILD_ERRORS = (TypeError, ValueError, LookupError, AttributeError, OSError, AssertionError)


def listed_samples(dataset) -> tuple[list[dict], list[Finding]]:
    """Read the list of a dataset; where that fails, find out all that is wrong and which samples are left.

    Args:
        dataset: of mmengine's kind, without wrappers, built with ``lazy_init=True``.

    Returns:
        The entries of the samples, and the faults.
    """
    findings = list_findings(dataset)
    try:
        dataset.full_init()
        infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    except BUILD_ERRORS as error:
        if 'need at least one array to concatenate' in str(error):
            where = dataset.ann_file or _folder(dataset)
            return [], [*findings, Finding(ERROR, 'empty', f'{where}: no sample there; expected at least one')]
        infos, faults = [], []
        try:
            if isinstance(error, DataError) and isinstance(dataset, FolderDataset):
                infos, faults = _pairs(dataset)
            elif isinstance(error, DataError) and isinstance(dataset, UnlabeledDataset):
                infos, faults = _images(dataset)
        except DataError:
            infos, faults = [], []  # the first fault leaves nothing to look at
        errors = [fault for fault in (*findings, *faults) if fault.level == ERROR]
        if not errors:
            text = one_line(error)
            file = dataset.ann_file or _folder(dataset)
            named = text if isinstance(error, DataError) or str(file) in text else f'{file}: {text}'
            faults = [*faults, Finding(ERROR, 'missing' if isinstance(error, FileNotFoundError) else 'list', named)]
        findings += faults
    return infos, findings + path_findings(dataset, infos)


def list_findings(dataset) -> list[Finding]:
    """What is wrong with the lines of a list: duplicates, blank ones, names that leave the folder.

    Datasets of mmssl pass blank lines over and look for an absolute name below the folder; those of mmseg join both
    to the folder as they are.

    Args:
        dataset: with ``ann_file``; one of another kind than a text list has no findings here.
    """
    path = Path(str(dataset.ann_file or ''))
    if path.suffix.lower() in ('.json', '.pkl', '.yaml', '.yml') or not path.is_file():
        return []
    ours = isinstance(dataset, (FolderDataset, UnlabeledDataset)) or not getattr(dataset, 'reads_files', True)
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (UnicodeDecodeError, OSError):
        return [Finding(ERROR, 'list', f'{path}: not a text file; expected one name a line')]
    findings, line_of = [], {}
    for number, name in enumerate(map(_name, lines), start=1):
        where = f'{path}: line {number}:'
        if not name:
            level = WARNING if ours else ERROR
            findings.append(Finding(level, 'list', f'{where} blank; expected a name'))
        elif name in line_of:
            findings.append(Finding(ERROR, 'list', f'{where} {name} stands on line {line_of[name]} already'))
        elif '..' in PurePosixPath(name).parts or (PurePosixPath(name).is_absolute() and not ours):
            findings.append(
                Finding(ERROR, 'escape', f'{where} {name} leaves the data folder; expected a name inside it')
            )
        line_of.setdefault(name, number)
    return findings


def path_findings(dataset, infos: Iterable[dict]) -> list[Finding]:
    """Images and masks outside of the folder they were looked for in, and images that are listed twice.

    Args:
        dataset: with ``data_prefix``.
        infos: entries of its samples.
    """
    findings, times = [], Counter()
    folders = {
        'img_path': _folders(dataset, 'img_path') or _folders(dataset, 'img'),
        'seg_map_path': _folders(dataset, 'seg_map_path') or _folders(dataset, 'seg'),
    }
    for info in infos:
        for key, prefixes in folders.items():
            path = info.get(key)
            if not isinstance(path, str) or '://' in path or not prefixes:
                continue
            if '..' in path or not any(path.startswith(prefix) for prefix in prefixes):
                # only now the slow way: most paths are a folder and a name
                normal = osp.normpath(path)
                if not any(_inside(normal, osp.normpath(prefix)) for prefix in prefixes):
                    file = f'{dataset.ann_file}: ' if dataset.ann_file else ''
                    text = f'{file}{path} leaves the folder {prefixes[0]}; expected a file inside it'
                    findings.append(Finding(ERROR, 'escape', text))
        times[info.get('img_path')] += 1
    for path, number in times.items():
        if path is not None and number > 1:
            file = dataset.ann_file or _folder(dataset)
            findings.append(Finding(ERROR, 'list', f'{file}: {path} is listed {number} times; expected once'))
    return findings


def _inside(path: str, folder: str) -> bool:
    return folder == '.' or path == folder or path.startswith(folder.rstrip('/') + '/')


def _folders(dataset, key: str) -> list[str]:
    named = dataset.data_prefix.get(key) or []
    return [osp.join(folder, '') for folder in ([named] if isinstance(named, str) else named) if folder]


def _folder(dataset) -> str:
    """A folder to name where there is no list."""
    return next(iter(_folders(dataset, 'img_path') + _folders(dataset, 'img')), dataset.data_root or '')


def _name(line: str) -> str:
    """The name on a line; of two columns the first, as :func:`~mmssl.datasets.split_list.read_split_list` has it."""
    columns = line.split()
    if len(columns) == 2 and all(PurePosixPath(column).suffix.lower() in IMAGE_SUFFIXES for column in columns):
        return columns[0]
    return line.strip()


def _chosen(dataset, stems: dict, folders: Sequence[str]) -> tuple[list[str], list[Finding]]:
    """The stems that the list of a dataset names, and a fault for each name without an image."""
    if not dataset.ann_file:
        return list(stems), []
    path = Path(dataset.ann_file)
    if not path.is_file():
        return [], [Finding(ERROR, 'missing', f'{path}: the list of the split does not exist')]
    names = [name for name in map(_name, path.read_text(encoding='utf-8-sig').splitlines()) if name]
    found, unknown = resolve_names(names, stems, dataset.img_suffixes)
    where = ', '.join(folders)
    faults = [Finding(ERROR, 'missing', f'{path}: {name} has no image in {where}') for name in dict.fromkeys(unknown)]
    return list(dict.fromkeys(found)), faults


def _pairs(dataset: FolderDataset) -> tuple[list[dict], list[Finding]]:
    """As :meth:`FolderDataset.load_data_list`, with a fault for each file instead of an error for the first kind."""
    img_dir, ann_dir = dataset.data_prefix['img_path'], dataset.data_prefix.get('seg_map_path')
    images = list_stems(img_dir, dataset.img_suffixes, dataset.backend_args)
    masks = list_stems(ann_dir, (dataset.seg_map_suffix,), dataset.backend_args) if ann_dir else {}
    stems, findings = _chosen(dataset, images, [img_dir])
    missing = [] if dataset.allow_missing_masks else [stem for stem in stems if stem not in masks]
    findings += [
        Finding(ERROR, 'missing', f'{osp.join(img_dir, images[stem])}: the image has no mask in {ann_dir}')
        for stem in missing
    ]
    if not dataset.ann_file:
        findings += [
            Finding(ERROR, 'missing', f'{osp.join(ann_dir, masks[stem])}: the mask has no image in {img_dir}')
            for stem in masks
            if stem not in images
        ]
    label_map = dataset._file_label_map()
    left = [stem for stem in stems if stem not in set(missing)]
    return [dataset._sample(images[stem], masks.get(stem), label_map) for stem in left], findings


def _images(dataset: UnlabeledDataset) -> tuple[list[dict], list[Finding]]:
    """As :meth:`UnlabeledDataset.load_data_list`, likewise."""
    folders = dataset.data_prefix['img_path']
    paths = {}
    for folder in folders:
        images = list_stems(folder, dataset.img_suffixes, dataset.backend_args)
        paths |= {stem: osp.join(folder, name) for stem, name in images.items()}
    stems, findings = _chosen(dataset, paths, folders)
    return [{'img_path': paths[stem], 'seg_fields': []} for stem in stems], findings
