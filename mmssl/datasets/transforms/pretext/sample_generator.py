"""Where the draws of a pretext target come from."""

import numpy as np


def check_seed(seed: int | None, transform: str) -> int | None:
    """The seed itself.

    Raises:
        ValueError: it is neither None nor a whole number from 0 up; ``transform`` is named.
    """
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or seed < 0):
        raise ValueError(f'{transform}: seed is {seed!r}, expected None or a whole number from 0 up')
    return seed


def sample_generator(seed: int | None, results: dict) -> np.random.Generator:
    """The generator that a target draws from.

    Args:
        seed: None, for training: every call draws anew, from numpy's global generator, which mmengine seeds in every
            worker. A whole number, for held-out images: the draw depends on it and the sample alone, so that the
            accuracy of two epochs is that of the same questions.
        results: a sample; ``sample_idx`` is its position in the dataset.

    Returns:
        A generator of its own for this sample.

    Raises:
        ValueError: a seed is given and the sample has no position.
    """
    if seed is None:
        return np.random.default_rng(np.random.randint(2**31))
    if 'sample_idx' not in results:
        raise ValueError(f'{results.get("img_path")}: no sample_idx, expected a dataset that sets it (seed={seed})')
    return np.random.default_rng((seed, results['sample_idx']))
