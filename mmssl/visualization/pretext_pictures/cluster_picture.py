"""Clusters of grey values as grey levels."""

import numpy as np

from ..mask_picture import overlay_mask

DARKEST, BRIGHTEST = 20, 225  # neither vanishes in black borders or white paper


def cluster_levels(count: int) -> np.ndarray:
    """Spread the grey levels of clusters evenly.

    Args:
        count: of clusters, at least 2.

    Returns:
        (count,) uint8, from dark to bright.
    """
    return np.rint(np.linspace(DARKEST, BRIGHTEST, count)).astype(np.uint8)


def cluster_picture(clusters: np.ndarray, count: int, *, ignore_index: int = 255) -> np.ndarray:
    """Paint each cluster with its level.

    Args:
        clusters: (H, W) integers, 0..count-1 from dark to bright, or ``ignore_index``, which is drawn as stripes.
        count: of clusters.
        ignore_index: id of padding.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: an id that is no cluster.
    """
    unknown = np.setdiff1d(clusters, [*range(count), ignore_index])
    if unknown.size:
        raise ValueError(f'cluster_picture: the id {unknown[0]} found, 0 to {count - 1} or {ignore_index} expected')
    paper = np.full((*clusters.shape, 3), BRIGHTEST, dtype=np.uint8)
    palette = np.repeat(cluster_levels(count)[:, None], 3, axis=1)
    return overlay_mask(paper, clusters, palette, ignore_index=ignore_index, alpha=1)
