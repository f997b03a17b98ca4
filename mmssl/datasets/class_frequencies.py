"""Count the labelled pixels of each class in a dataset, once, with a cache."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.dist import broadcast_object_list, is_main_process
from tqdm import tqdm

from mmssl.atomic_file import atomic_file
from mmssl.datasets.skip_broken import SkipBrokenImages

THREADS = 4  # OpenCV decodes masks outside the interpreter lock


def base_datasets(dataset) -> list:
    """The datasets with masks inside mmengine's wrappers and ``SkipBrokenImages``, each as often as it is named."""
    if isinstance(dataset, ConcatDataset):
        return [base for part in dataset.datasets for base in base_datasets(part)]
    if isinstance(dataset, (RepeatDataset, ClassBalancedDataset, SkipBrokenImages)):
        return base_datasets(dataset.dataset)
    return [dataset]


def load_mask(dataset, index: int) -> np.ndarray:
    """The label map of one sample as the pipeline of ``dataset`` loads it, before any augmentation.

    Args:
        dataset: a dataset of mmseg's kind, with a ``pipeline`` of transforms.
        index: position of the sample.

    Returns:
        (H, W), integers.

    Raises:
        ValueError: when no loading transform of the pipeline gives ``gt_seg_map``.
    """
    results = dataset.get_data_info(index)
    for transform in dataset.pipeline.transforms:
        # By the convention of the hosts, what reads a sample is called Load...; images are not needed here.
        if type(transform).__name__.startswith('Load') and not isinstance(transform, LoadImageFromFile):
            results = transform(results)
        if 'gt_seg_map' in results:
            return results['gt_seg_map']
    raise ValueError(f'{type(dataset).__name__}: no transform of its pipeline loads masks, class weights need them')


def count_classes(dataset, num_classes: int, progress: bool = True) -> np.ndarray:
    """Number of pixels of each class over all masks of ``dataset``.

    Args:
        dataset: a dataset of mmseg's kind, or mmengine's wrappers around such.
        num_classes: K; other values (the ignore value) are not counted.
        progress: whether to show a bar.

    Returns:
        (K,), int64.
    """

    def count(base_and_index) -> np.ndarray:
        mask = load_mask(*base_and_index)
        return np.bincount(mask.ravel(), minlength=num_classes)[:num_classes]

    jobs = [(base, index) for base in base_datasets(dataset) for index in range(len(base))]
    total = np.zeros(num_classes, dtype=np.int64)
    with ThreadPoolExecutor(THREADS) as pool:
        for counts in tqdm(pool.map(count, jobs), total=len(jobs), desc='class frequencies', disable=not progress):
            total += counts
    return total


def fingerprint(dataset, num_classes: int) -> str:
    """Hash of what the counts depend on: every sample's entry, and size and date of its mask file."""
    digest = hashlib.sha256(str(num_classes).encode())
    for base in base_datasets(dataset):
        digest.update(f'{type(base).__name__} {len(base)}'.encode())
        for index in range(len(base)):
            info = base.get_data_info(index)
            digest.update(json.dumps(info, sort_keys=True, default=str).encode())
            if info.get('seg_map_path') and os.path.exists(info['seg_map_path']):
                status = os.stat(info['seg_map_path'])
                digest.update(f'{status.st_size} {status.st_mtime_ns}'.encode())
    return digest.hexdigest()


def class_frequencies(dataset, cache_dir: str | Path | None = None, progress: bool = True) -> np.ndarray:
    """Share of each class in the labelled pixels of ``dataset``; counted once, then read from the cache.

    Args:
        dataset: a dataset of mmseg's kind with ``metainfo['classes']``, or mmengine's wrappers around such.
        cache_dir: folder for the counts, one file a fingerprint; None counts every time.
        progress: whether to show a bar.

    Returns:
        (K,), float64, sums to 1; a class that never occurs has 0.

    Raises:
        ValueError: when no pixel of any mask is labelled.
    """
    classes = list(dataset.metainfo['classes'])
    cache = None
    if cache_dir is not None:
        key = fingerprint(dataset, len(classes))
        cache = Path(cache_dir) / f'class_frequencies-{key[:16]}.json'
    if cache is not None and cache.exists():
        stored = json.loads(cache.read_text())
        if stored['fingerprint'] == key and stored['classes'] == classes:
            counts = np.array(stored['counts'], dtype=np.int64)
            return counts / counts.sum()
    counts = count_classes(dataset, len(classes), progress)
    if not counts.any():
        raise ValueError(f'class frequencies: none of the {len(dataset)} masks has a labelled pixel')
    if cache is not None:
        with atomic_file(cache) as partial:
            content = {'fingerprint': key, 'classes': classes, 'counts': counts.tolist()}
            partial.write_text(json.dumps(content, indent=1))
    return counts / counts.sum()


def class_frequencies_on_all_ranks(dataset, cache_dir: str | Path | None = None) -> list[float]:
    """As :func:`class_frequencies`, counted by rank 0 and told to all; an error there is raised on all.

    Args:
        dataset: as there; of a ``PairedDataset`` the labelled side.
        cache_dir: as there.

    Returns:
        K shares.

    Raises:
        ValueError: as there.
    """
    result = [None, None]
    if is_main_process():
        try:
            result[0] = class_frequencies(getattr(dataset, 'labeled', dataset), cache_dir).tolist()
        except Exception as error:  # handed to all ranks: one that raises alone leaves the others waiting
            result[1] = error
    broadcast_object_list(result)
    shares, error = result
    if error is not None:
        raise error
    return shares
