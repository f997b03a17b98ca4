"""A cheap look at the data of a run before it starts; tools/analysis_tools/check_dataset.py looks at everything."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.registry import DATASETS, init_default_scope

from mmssl.apis.config import ConfigError
from mmssl.apis.data_folders import dataset_configs
from mmssl.apis.listed_images import check_listed_images, listed_files
from mmssl.datasets.audit import ERROR, WARNING, Finding, check_sample, coco_findings, path_findings, sample_check_of
from mmssl.datasets.folder import FolderDataset
from mmssl.datasets.plain_datasets import inner_datasets, plain_datasets
from mmssl.datasets.skip_broken import SkipBrokenImages
from mmssl.datasets.unlabeled import UnlabeledDataset
from mmssl.errors import DataError, DataNotFoundError

OVERLAPS = ('error', 'warning', 'off')
SETTINGS = {'samples': 4, 'train_val_overlap': 'error'}
"""Samples of each dataset that are read, evenly spaced; and what an image that is trained and evaluated on is."""


def audit_settings(cfg: Config) -> dict:
    """``SETTINGS`` with what the key ``start_audit`` of a config changes.

    Raises:
        ConfigError: another key, or a value outside of its range.
    """
    given = cfg.get('start_audit') or {}
    if not isinstance(given, dict) or set(given) - set(SETTINGS):
        raise ConfigError(f'start_audit is {given}; expected a dict with keys of {", ".join(SETTINGS)}')
    settings = {**SETTINGS, **given}
    if type(settings['samples']) is not int or settings['samples'] < 0:
        raise ConfigError(f'start_audit.samples is {settings["samples"]!r}; expected 0 or more')
    if settings['train_val_overlap'] not in OVERLAPS:
        raise ConfigError(f'start_audit.train_val_overlap is {settings["train_val_overlap"]!r}; expected {OVERLAPS}')
    return settings


def check_annotation_files(cfg: Config, splits: tuple[str, ...]) -> None:
    """Raise when an annotation file of COCO's form has an error; before the datasets are built, which may fail on it.

    Args:
        cfg: a whole configuration.
        splits: which of ``train``, ``val``, ``test`` to look at; one without a dataloader is left out.

    Raises:
        DataError: naming the file, the first error, and how many there are.
    """
    loaders = {split: cfg.get(f'{split}_dataloader') for split in splits}
    found = [
        (split, part) for split, loader in loaders.items() if loader for part in dataset_configs(loader['dataset'])
    ]
    if not any(str(part.get('ann_file', '')).endswith('.json') for _, part in found):
        return
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    for split, part in found:
        if str(part.get('ann_file', '')).endswith('.json') and not part.get('backend_args'):
            dataset = DATASETS.build({**part, 'pipeline': [], 'lazy_init': True})
            findings = coco_file_findings(dataset, loads_instance_masks(part.get('pipeline') or []))
            _report(findings, f'{split}_dataloader')


def loads_instance_masks(pipeline: Iterable[dict]) -> bool:
    """Whether a pipeline's config loads instance masks."""
    return any(step.get('with_mask') for step in pipeline if isinstance(step, dict))


def coco_file_findings(dataset: BaseDataset, masks: bool) -> list[Finding]:
    """Findings of the annotation file of mmdet's ``CocoDataset`` and of those made from it; none for others.

    Args:
        dataset: its list need not be read.
        masks: whether its instance masks are used.
    """
    if not hasattr(dataset, 'COCOAPI') or not hasattr(dataset, 'ANN_ID_UNIQUE'):
        return []
    return coco_findings(dataset.ann_file, dataset.metainfo.get('classes'), masks)


def audit_start(datasets: Mapping[str, object], settings: Mapping = SETTINGS) -> None:
    """Look at the datasets of a run: lists, presence of files, a few samples, images that are trained and tested on.

    Every rank looks, for each may have a copy of the data of its own. It takes time by the number of images, to list
    folders once, and never decodes more than a few. Images that ``mmssl.SkipBrokenImages`` may replace are warned of.

    Args:
        datasets: by where they stand in the config (``train_dataloader``, ``val_dataloader``, ``test_dataloader``).
        settings: as :func:`audit_settings` gives them.

    Raises:
        DataNotFoundError: files are missing.
        DataError: a dataset is empty, an image is listed twice or lies outside its folder, a sample is broken, a mask
            has another size or wrong ids, or labelled images are evaluated on too.
    """
    files_of = cache(listed_files)
    for where, dataset in datasets.items():
        check_listed_images(dataset, where, files_of)
        for part, may_skip in _parts(dataset):
            if not len(part):
                raise DataError(f'{part.ann_file or part.data_root}: no sample there; expected at least one ({where})')
            _report(_listing_findings(part, files_of), where)
            _report(_sample_findings(part, settings['samples'], may_skip), where)
    evaluated = {where: dataset for where, dataset in datasets.items() if where != 'train_dataloader'}
    if 'train_dataloader' in datasets and settings['train_val_overlap'] != 'off':
        for where, dataset in evaluated.items():
            findings = _overlap_findings(datasets['train_dataloader'], dataset, settings['train_val_overlap'], files_of)
            _report(findings, f'train_dataloader and {where}')


def _report(findings: list[Finding], where: str) -> None:
    """Raise the first error, or warn of what else there is."""
    errors = [finding for finding in findings if finding.level == ERROR]
    if errors:
        first = errors[0]
        more = f'; and {len(errors) - 1} more' if len(errors) > 1 else ''
        kind = DataNotFoundError if first.kind == 'missing' else DataError
        raise kind(f'{first.text}{more} ({where})')
    if findings:
        more = f', and {len(findings) - 1} more' if len(findings) > 1 else ''
        print_log(f'{findings[0].text}{more} ({where})', logger='current', level=30)


def _parts(dataset, may_skip: bool = False) -> Iterator[tuple[BaseDataset, bool]]:
    """The plain datasets, each with whether broken images of it are replaced."""
    if isinstance(dataset, BaseDataset):
        yield dataset, may_skip
        return
    for part in inner_datasets(dataset):
        yield from _parts(part, may_skip or isinstance(dataset, SkipBrokenImages))


def _is_local(part: BaseDataset) -> bool:
    return getattr(part, 'reads_files', True) and not getattr(part, 'backend_args', None)


def _listing_findings(part: BaseDataset, files_of: Callable[[BaseDataset], list[dict]]) -> list[Finding]:
    # Our datasets have compared list and folders when they were built; a folder of images alone lists itself.
    if not _is_local(part) or isinstance(part, (FolderDataset, UnlabeledDataset)):
        return []
    if not part.ann_file and not part.get_data_info(0).get('seg_map_path'):
        return []
    infos = files_of(part)
    findings = path_findings(part, infos)
    if sample_check_of(part).num_classes is None:
        return findings
    listed = cache(lambda folder: set(os.listdir(folder or '.')) if os.path.isdir(folder or '.') else set())
    masks = [info['seg_map_path'] for info in infos if isinstance(info.get('seg_map_path'), str)]
    missing = [
        path for path in masks if '://' not in path and os.path.basename(path) not in listed(os.path.dirname(path))
    ]
    if missing:
        text = f'{missing[0]}: {len(missing)} of {len(masks)} masks are missing'
        findings.append(Finding(ERROR, 'missing', text))
    return findings


def _sample_findings(part: BaseDataset, number: int, may_skip: bool) -> list[Finding]:
    if not _is_local(part) or not number:
        return []
    check = sample_check_of(part)
    findings = []
    for index in np.unique(np.linspace(0, len(part) - 1, number).round().astype(int)).tolist():
        found, _ = check_sample(check, part.get_data_info(index))
        findings += found
    if not may_skip:
        return findings
    return [Finding(WARNING, each.kind, each.text) if each.kind == 'broken' else each for each in findings]


def is_labelled(part: BaseDataset) -> bool:
    """Whether a dataset teaches its labels: masks or annotations are loaded, or samples have a class."""
    loads = any('Annotations' in type(transform).__name__ for transform in part.pipeline.transforms)
    return loads or 'gt_label' in part.get_data_info(0)


def _overlap_findings(train, evaluated, level: str, files_of: Callable[[BaseDataset], list[dict]]) -> list[Finding]:
    """Images of both, by folder and name; links among the folders are followed."""
    real = cache(os.path.realpath)
    others = [part for part in plain_datasets(evaluated) if _is_local(part)]
    findings = []
    for part in plain_datasets(train):
        rivals = [other for other in others if _is_local(part) and not _apart(part, other)]
        if not rivals:
            continue
        theirs = {path for other in rivals for path in _paths(files_of(other), real)}
        both = [path for path in _paths(files_of(part), real) if path in theirs]
        if both:
            labelled = is_labelled(part)
            text = (
                f'{os.path.join(*both[0])}: {len(both)} of {len(part)} images that are '
                f'{"trained" if labelled else "pretrained or adapted"} on are evaluated on too; expected none, or '
                "start_audit=dict(train_val_overlap='warning') where it is meant"
            )
            findings.append(Finding(level if labelled else WARNING, 'overlap', text))
    return findings


def _apart(one: BaseDataset, other: BaseDataset) -> bool:
    """Whether two datasets cannot share a file: whole folders, neither inside the other."""
    if one.ann_file or other.ann_file:
        return False
    folders = [_real_folders(dataset) for dataset in (one, other)]
    pairs = [(a, b) for a in folders[0] for b in folders[1]]
    return bool(pairs) and not any(f'{a}/'.startswith(f'{b}/') or f'{b}/'.startswith(f'{a}/') for a, b in pairs)


def _real_folders(dataset: BaseDataset) -> list[str]:
    named = dataset.data_prefix.get('img_path') or []
    return [os.path.realpath(folder) for folder in ([named] if isinstance(named, str) else named)]


def _paths(files: list[dict], real) -> Iterator[tuple[str, str]]:
    for paths in files:
        path = paths.get('img_path')
        if isinstance(path, str) and '://' not in path:
            folder, name = os.path.split(path)
            yield real(folder or '.'), name
