"""Draws of a target: of numpy's global generator, or of seed and sample alone."""

import numpy as np

from mmssl.datasets.transforms.pretext.sample_generator import sample_generator


def draws(seed, index=0) -> list[int]:
    return sample_generator(seed, {'sample_idx': index}).integers(1000, size=8).tolist()


def test_seed_and_sample_decide_alone():
    np.random.seed(0)
    first = draws(5, 2)
    np.random.seed(1)
    assert draws(5, 2) == first
    assert draws(5, 3) != first
    assert draws(6, 2) != first


def test_seed_takes_nothing_from_the_global_generator():
    np.random.seed(0)
    expected = np.random.rand()
    np.random.seed(0)
    draws(5)
    assert np.random.rand() == expected


def test_without_seed_the_global_generator_decides():
    np.random.seed(0)
    first, second = draws(None), draws(None)
    assert first != second
    np.random.seed(0)
    assert [draws(None), draws(None)] == [first, second]
