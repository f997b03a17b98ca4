"""Read every file of every dataset of a config, and list all faults."""

import contextlib
import io
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from tqdm import tqdm

from mmssl.apis.start_audit import coco_file_findings, loads_instance_masks
from mmssl.datasets.audit import (
    ERROR,
    WARNING,
    Finding,
    SampleCheck,
    check_sample,
    listed_samples,
    sample_check_of,
)
from mmssl.datasets.audit.listing import BUILD_ERRORS
from mmssl.datasets.overlap import PROGRESS_AFTER, find_overlap, list_images
from mmssl.errors import one_line

SMALL = 200  # samples that one process has read before others have started


@dataclass
class AuditedDataset:
    """A dataset of a config, what it lists, and what was found.

    Attributes:
        where: of it in the config, ``train.labeled``.
        dataset: built without its list; None where that fails.
        infos: entries of the samples that could be listed.
        findings: all faults.
        counts: (K,) int64, pixels of each class over all masks; None without masks.
        labelled: whether its labels are learnt.
    """

    where: str
    dataset: object = None
    infos: list[dict] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    counts: np.ndarray | None = None
    labelled: bool = False

    def number(self, level: str) -> int:
        """How many findings of a level there are."""
        return sum(finding.level == level for finding in self.findings)

    def __getattr__(self, name: str):
        # What an overlap asks a dataset for beside its entries: prefixes and suffixes.
        if name.startswith('__') or name == 'dataset':
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.infos)

    def get_data_info(self, index: int) -> dict:
        """The entry of a sample."""
        return self.infos[index]


def named_dataset_configs(cfg: dict, where: str) -> Iterator[tuple[str, dict]]:
    """The configs of plain datasets inside wrappers, each with where it stands."""
    inner = [(where, cfg[key]) for key in ('dataset',) if isinstance(cfg.get(key), dict)]
    names = ('labeled', 'unlabeled', 'segmentation')
    inner += [(f'{where}.{key}', cfg[key]) for key in names if isinstance(cfg.get(key), dict)]
    inner += [(f'{where}.{place}', part) for place, part in enumerate(cfg.get('datasets') or [])]
    inner += [(f'{where}.{name}', part) for name, part in (cfg.get('tasks') or {}).items()]
    if not inner:
        yield where, cfg
    for place, part in inner:
        yield from named_dataset_configs(part, place)


def audit_config(
    cfg: Config, parts: Sequence[str] = ('train', 'val', 'test'), workers: int = 1, progress: bool = True
) -> list[AuditedDataset]:
    """Audit the datasets of a configuration.

    Args:
        cfg: a whole configuration.
        parts: which dataloaders; one that is not there, or is that of validation again, is left out.
        workers: processes that read files, at least 1.
        progress: whether to show a bar, after ten seconds.

    Returns:
        The datasets with their findings.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    audited, seen = [], {}
    for part in parts:
        loader = cfg.get(f'{part}_dataloader')
        if not loader:
            continue
        for where, dataset in named_dataset_configs(loader['dataset'], part):
            key = repr(sorted(Config({'dataset': dataset}).to_dict()['dataset'].items(), key=lambda item: item[0]))
            if part == 'test' and key in seen:
                continue
            seen[key] = where
            audited.append(open_dataset(dataset, where))
    read_samples(audited, workers, progress)
    for each in audited:
        each.findings += class_findings(each)
    add_overlaps(cfg, audited)
    return audited


def open_dataset(cfg: dict, where: str) -> AuditedDataset:
    """Build a dataset, and list its samples and the faults of its lists."""
    found = AuditedDataset(where)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools tells how long it took
            found.dataset = DATASETS.build({**cfg, 'lazy_init': True})
            found.labelled = any('Annotations' in type(each).__name__ for each in found.dataset.pipeline.transforms)
            found.findings += coco_file_findings(found.dataset, loads_instance_masks(cfg.get('pipeline') or []))
            if not any(each.kind in ('annotations', 'missing') for each in found.findings):  # mmdet reads it
                found.infos, findings = listed_samples(found.dataset)
                found.findings += findings
    except BUILD_ERRORS as error:
        root = cfg.get('data_root') or cfg.get('ann_file') or cfg.get('type')
        text = one_line(error)
        found.findings.append(Finding(ERROR, 'dataset', text if str(root).rstrip('/') in text else f'{root}: {text}'))
    if not found.infos and not found.number(ERROR):
        found.findings.append(Finding(ERROR, 'empty', f'{cfg.get("data_root")}: no sample; expected at least one'))
    return found


def _check(job: tuple[str, SampleCheck, dict]) -> tuple[str, list[Finding], np.ndarray | None]:
    key, check, info = job
    return key, *check_sample(check, info)


def read_samples(audited: list[AuditedDataset], workers: int, progress: bool) -> None:
    """Read the files of all datasets; fills ``findings`` and ``counts``."""
    checks = [sample_check_of(each.dataset) if each.dataset is not None else SampleCheck() for each in audited]
    # Tasks often share their images: each is read once, and told of in all datasets.
    places, jobs = defaultdict(list), []
    for place, each in enumerate(audited):
        for info in map(_needed, each.infos):
            key = repr((checks[place], info))
            if not places[key]:
                jobs.append((key, checks[place], info))
            places[key].append(place)
    if workers == 1 or len(jobs) < SMALL:
        results, pool = map(_check, jobs), contextlib.nullcontext()
    else:
        # The processes share the cores; OpenCV would start threads in each.
        pool = ProcessPoolExecutor(workers, initializer=cv2.setNumThreads, initargs=(0,))
        results = pool.map(_check, jobs, chunksize=16)
    with pool:
        bar = tqdm(results, total=len(jobs), desc='files', unit='sample', delay=PROGRESS_AFTER, disable=not progress)
        for key, findings, counts in bar:
            for each in (audited[place] for place in places[key]):
                each.findings += findings
                if counts is not None:
                    each.counts = counts if each.counts is None else each.counts + counts


def _needed(info: dict) -> dict:
    """What a check reads of an entry; instances of COCO would go to another process for nothing."""
    keys = ('img_path', 'seg_map_path', 'label_map', 'reduce_zero_label', 'height', 'width')
    return {key: info[key] for key in (*keys, 'seed', 'index', 'style', 'size') if key in info}


def class_findings(each: AuditedDataset) -> list[Finding]:
    """Warn when the first or the last class never occurs: ids that start at 1, or a ``reduce_zero_label`` too much."""
    if each.counts is None or not each.infos:
        return []
    classes = list(each.dataset.metainfo.get('classes') or range(len(each.counts)))
    reduce = bool(each.infos[0].get('reduce_zero_label'))
    folder = os.path.dirname(str(each.infos[0].get('seg_map_path') or each.infos[0].get('img_path') or ''))
    if not each.counts.any():
        return [Finding(WARNING, 'classes', f'{folder or each.where}: no pixel of any mask has a class')]
    ends = {0: f'the masks may start at id 1: reduce_zero_label is {reduce}', len(classes) - 1: ''}
    if reduce:
        ends[len(classes) - 1] = 'the masks may start at id 0: reduce_zero_label is True'
    return [
        Finding(
            WARNING,
            'classes',
            f'{folder or each.where}: class {place} ({classes[place]}) never occurs{f"; {hint}" if hint else ""}',
        )
        for place, hint in ends.items()
        if not each.counts[place]
    ]


def add_overlaps(cfg: Config, audited: list[AuditedDataset]) -> None:
    """Compare what is trained on with what is evaluated on, and labelled with unlabelled sides, by path and content."""
    for trained in (each for each in audited if each.where.split('.')[0] == 'train'):
        for other in (each for each in audited if each.where.split('.')[0] != 'train'):
            level = ERROR if trained.labelled else WARNING
            _compare(trained, other, level, f'is trained on ({trained.where}) and evaluated on ({other.where})', False)
    for trained in (each for each in audited if each.where.endswith('.unlabeled')):
        base = trained.where.removesuffix('.unlabeled')
        by = _overlap_mode(cfg, base)
        for other in (each for each in audited if each.where.startswith(f'{base}.labeled') and by != 'off'):
            _compare(trained, other, ERROR, 'is unlabelled and labelled', by == 'name')


def _overlap_mode(cfg: Config, where: str) -> str:
    """The option ``overlap`` of the pair of datasets at a place of the config."""
    part, *keys = where.split('.')
    node = cfg[f'{part}_dataloader']['dataset']
    for key in keys:
        node = node[key] if key in node else (node.get('tasks') or {}).get(key, {})
    return node.get('overlap', 'name')


def _compare(one: AuditedDataset, other: AuditedDataset, level: str, told: str, names: bool) -> None:
    if not one.infos or not other.infos:
        return
    for first, second, shared in find_overlap(list_images(other), list_images(one), names=names):
        same = '' if first.label == second.label else f', as {second.label}'
        one.findings.append(Finding(level, 'overlap', f'{first.label}: {told}{same} (same {shared})'))


def kinds(audited: Sequence[AuditedDataset]) -> Counter:
    """How often each kind of fault was found."""
    return Counter(finding.kind for each in audited for finding in each.findings)
