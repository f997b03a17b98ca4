"""Which view of a batch lies nearest to which."""

import numpy as np


def nearest_views(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the nearest of the other views for each of the 2N views of N images, by cosine similarity.

    Args:
        first: (N, D) float, embeddings of the first views, not normalised.
        second: (N, D) float, those of the second views of the same images.

    Returns:
        nearest: (N, 2) int64, for image and view the number of the nearest view: i for the first view of image i,
        N + i for its second. Right is N + i for the first and i for the second view.
        similarities: (N, 2) float64, cosine similarity to the nearest view, in [-1, 1].
        own: (N,) float64, cosine similarity of the two views of an image.

    Raises:
        ValueError: shapes that differ, or no image.
    """
    if first.shape != second.shape or first.ndim != 2 or not len(first):
        raise ValueError(f'nearest_views: embeddings of {first.shape} and {second.shape} found, twice (N, D) expected')
    count = len(first)
    views = np.concatenate([first, second]).astype(np.float64)
    views /= np.maximum(np.linalg.norm(views, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    similarities = np.clip(views @ views.T, -1, 1)
    own = np.diagonal(similarities, offset=count).copy()
    np.fill_diagonal(similarities, -np.inf)
    nearest = similarities.argmax(axis=1)
    best = similarities[np.arange(2 * count), nearest]
    return nearest.reshape(2, count).T, best.reshape(2, count).T, own
