"""Where in the image each class occurs (S2, section 5.1.2 and figures 5.1 to 5.4)."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from tqdm import tqdm

from mmssl.datasets.class_frequencies import base_datasets, load_mask

THREADS = 4  # masks are decoded and averaged outside the interpreter lock


def mask_positions(mask: np.ndarray, num_classes: int, size: tuple[int, int]) -> np.ndarray:
    """Share of each cell of a grid that each class of a label map covers.

    Args:
        mask: (H, W) integers; ids outside of 0..K-1 are no class.
        num_classes: K.
        size: height and width of the grid, which is stretched over the whole map.

    Returns:
        (K, height, width) float32, 0 to 1; sums to 1 over the classes where all of a cell is labelled.
    """
    height, width = size
    # Averages over areas are exact where no cell is smaller than a pixel.
    mask = mask.repeat(-(-height // mask.shape[0]), axis=0).repeat(-(-width // mask.shape[1]), axis=1)
    shares = np.zeros((num_classes, height, width), dtype=np.float32)
    for index in np.unique(mask):
        if 0 <= index < num_classes:
            shares[index] = cv2.resize(
                (mask == index).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA
            )
    return shares


def class_positions(dataset, size: tuple[int, int] = (128, 256), progress: bool = True) -> np.ndarray:
    """How often each place of the image shows each class, over all masks of a dataset.

    Args:
        dataset: a dataset of mmseg's kind with ``metainfo['classes']``, or mmengine's wrappers around such; masks are
            taken as its pipeline loads them, before any augmentation.
        size: height and width of the maps; images of any size are stretched to it.
        progress: whether to show a bar.

    Returns:
        (K, height, width) float64: the share of the images, 0 to 1, whose pixels there have the class, averaged over
        the area of the cell. Over the classes they sum to the share that is labelled at all.

    Raises:
        ValueError: the dataset is empty, or its pipeline loads no masks.
    """
    num_classes = len(dataset.metainfo['classes'])
    jobs = [(base, index) for base in base_datasets(dataset) for index in range(len(base))]
    if not jobs:
        raise ValueError('class positions: the dataset has no image, expected at least one')

    def positions(job) -> np.ndarray:
        return mask_positions(load_mask(*job), num_classes, size)

    total = np.zeros((num_classes, *size))
    with (
        ThreadPoolExecutor(THREADS) as pool,
        tqdm(total=len(jobs), desc='class positions', disable=not progress) as bar,
    ):
        for start in range(0, len(jobs), 8 * THREADS):  # a few at a time: maps that wait take memory
            for shares in pool.map(positions, jobs[start : start + 8 * THREADS]):
                total += shares
                bar.update()
    return total / len(jobs)
