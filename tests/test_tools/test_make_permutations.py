"""tools/make_permutations.py from its command line."""

import functools

import numpy as np
import pytest

from mmssl.datasets.transforms.pretext.permutations import load_permutations, select_permutations


@pytest.fixture
def run(run_tool):
    return functools.partial(run_tool, 'make_permutations.py')


def test_file_and_table(run, tmp_path):
    """All 6 orders of 3 pieces: 9 pairs differ by a swap, at 2 places, 6 by a turn, at 3; the mean is 2.4."""
    status, out, _ = run('--count', 6, '--seed', 2, '--pieces', 3)
    assert status == 0
    assert 'minimum 2, mean 2.4000' in out
    rows = [line.replace('│', ' ').replace('|', ' ').split() for line in out.splitlines()]
    assert ['2', '9'] in rows
    assert ['3', '6'] in rows
    assert '6 permutations written to 3_pieces_6.txt' in out
    path = tmp_path / '3_pieces_6.txt'
    assert path.read_text().splitlines()[:3] == [
        '# 6 permutations of 3 pieces, seed 2',
        '# Hamming distance: minimum 2, mean 2.4000',
        '# python tools/make_permutations.py --count 6 --seed 2 --pieces 3',
    ]
    assert np.array_equal(load_permutations(path, 3), select_permutations(6, 2, 3))


def test_one_permutation_has_no_distance(run, tmp_path):
    status, out, _ = run('--count', 1, '--pieces', 4, '--out', 'new/one.txt')
    assert status == 0
    assert 'minimum -, mean -' in out
    assert load_permutations(tmp_path / 'new/one.txt', 4).shape == (1, 4)


def test_mistakes_are_told_in_one_line_and_nothing_is_written(run, tmp_path):
    status, _, err = run('--count', 25, '--pieces', 4)
    assert status == 1
    assert err.startswith('error: 25 permutations of 4 pieces asked for, expected 1 to 24')
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
