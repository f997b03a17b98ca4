"""Maps of features as colours."""

from collections.abc import Sequence

import numpy as np

COMPONENTS = 3
SMALLEST = 1e-6  # spread of features of length 1 that is no more than rounding
SPARED = 2  # percent of the cells at either end of a component that do not count for its range


def feature_colours(maps: Sequence[np.ndarray], valid: Sequence[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """Colour maps by the first three principal components of their features, the same for all of them.

    Features are normalised to length 1 first, for the cosine of the loss sees no more of them. Red, green and blue are
    the components, each between the 2nd and the 98th percentile of the valid cells; the sign of a component is that
    with which its largest weight is positive. A component without spread is grey.

    Args:
        maps: each (C, h, w), float; sizes may differ.
        valid: (h, w) bool of each; the other cells do not count, and are black.

    Returns:
        (h, w, 3) uint8 RGB of each, and the share of the variance in the three components, 0 to 1; 0 without variance.
    """
    cells = np.concatenate([one.reshape(len(one), -1).T for one in maps]).astype(np.float64)
    counts = np.concatenate([one.ravel() for one in valid]) & np.isfinite(cells).all(axis=1)
    colours = np.zeros((len(cells), COMPONENTS), dtype=np.uint8)
    share = 0.0
    if counts.any():
        known = cells[counts]
        known = known / np.maximum(np.linalg.norm(known, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        colours[counts], share = _component_colours(known - known.mean(axis=0))
    ends = np.cumsum([one[0].size for one in maps])[:-1]
    pictures = [part.reshape(*one.shape[1:], 3) for part, one in zip(np.split(colours, ends), maps, strict=True)]
    return pictures, share


def _component_colours(centred: np.ndarray) -> tuple[np.ndarray, float]:
    """(N, C) -> (N, 3) uint8 and the share of the variance."""
    _, spread, weights = np.linalg.svd(centred, full_matrices=False)
    weights = weights[:COMPONENTS]
    signs = np.sign(np.take_along_axis(weights, np.abs(weights).argmax(axis=1)[:, None], axis=1))
    scores = centred @ (weights * signs).T
    low, high = np.percentile(scores, (SPARED, 100 - SPARED), axis=0)
    flat = spread[:COMPONENTS] / np.sqrt(len(centred)) < SMALLEST
    scaled = np.where(flat, 0.5, np.clip((scores - low) / np.where(high > low, high - low, 1), 0, 1))
    colours = np.full((len(centred), COMPONENTS), 128, dtype=np.uint8)
    colours[:, : scaled.shape[1]] = np.rint(scaled * 255)
    variance = (spread**2).sum()
    return colours, 0.0 if flat.all() else float((spread[:COMPONENTS] ** 2).sum() / variance)
