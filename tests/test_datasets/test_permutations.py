"""Choice of permutations against slow references and a closed form; their files, good and bad."""

import re
import time
from itertools import permutations as all_orders

import numpy as np
import pytest

from mmssl.datasets.transforms.pretext.permutations import (
    FOLDER,
    hamming_distances,
    load_permutations,
    save_permutations,
    select_permutations,
)
from mmssl.errors import DataError, DataNotFoundError

SHIPPED = (100, 1000)


def distance(first, second) -> int:
    return sum(a != b for a, b in zip(first, second, strict=True))


def largest_mean(count: int, pieces: int = 9) -> float:
    """Upper bound of the mean distance: at every place all pieces stand equally often, or nearly so."""
    often, rest = divmod(count, pieces)
    equal = rest * (often + 1) * often / 2 + (pieces - rest) * often * (often - 1) / 2
    return pieces * (1 - equal / (count * (count - 1) / 2))


def test_distances_against_a_loop():
    rows = np.random.default_rng(0).permuted(np.tile(np.arange(9), (40, 1)), axis=1)
    expected = [distance(rows[i], rows[j]) for i in range(40) for j in range(i + 1, 40)]
    assert hamming_distances(rows).tolist() == expected
    assert hamming_distances([[0, 1, 2, 3], [0, 2, 1, 3], [3, 2, 1, 0], [0, 1, 2, 3]]).tolist() == [2, 4, 0, 2, 2, 4]
    assert hamming_distances(rows[:1]).shape == (0,)


@pytest.mark.parametrize(('pieces', 'count'), [(2, 2), (4, 24), (5, 30)])
def test_every_choice_is_a_farthest_one(pieces, count):
    """By the definition, step by step over all that are left: largest minimum, then largest sum."""
    chosen = [tuple(row) for row in select_permutations(count, 3, pieces).tolist()]
    assert len(set(chosen)) == count
    for step in range(1, count):

        def far(order, before=tuple(chosen[:step])):
            distances = [distance(order, other) for other in before]
            return min(distances), sum(distances)

        left = set(all_orders(range(pieces))) - set(chosen[:step])
        assert far(chosen[step]) == max(map(far, left))


def test_the_seed_decides_and_nothing_else():
    np.random.seed(1)
    first = select_permutations(10, 0, 6)
    np.random.seed(2)
    assert np.array_equal(first, select_permutations(10, 0, 6))
    assert np.array_equal(first[:4], select_permutations(4, 0, 6))
    assert not np.array_equal(first, select_permutations(10, 1, 6))


def test_a_hundred_are_chosen_in_seconds_and_are_those_that_come_with_mmssl():
    start = time.perf_counter()
    chosen = select_permutations(100, 0)
    assert time.perf_counter() - start < 10
    assert np.array_equal(chosen, load_permutations(100))


@pytest.mark.parametrize('count', SHIPPED)
def test_files_that_come_with_mmssl(count):
    """The distances of their headers, counted by hand; the mean is the largest one possible."""
    rows = load_permutations(count)
    assert rows.shape == (count, 9)
    assert rows.dtype == np.int64
    assert (np.sort(rows, axis=1) == np.arange(9)).all()
    header = [line for line in (FOLDER / f'9_pieces_{count}.txt').read_text().splitlines() if line.startswith('#')]
    assert header[0] == f'# {count} permutations of 9 pieces, seed 0'
    minimum, mean = re.fullmatch(r'# Hamming distance: minimum (\d), mean ([\d.]+)', header[1]).groups()
    assert header[2] == f'# python tools/make_permutations.py --count {count} --seed 0 --pieces 9'
    distances = (rows[:, None] != rows[None]).sum(2)[np.triu_indices(count, 1)]
    assert int(minimum) == distances.min() == {100: 6, 1000: 5}[count]
    assert float(mean) == round(distances.mean(), 4)
    assert distances.mean() == pytest.approx(largest_mean(count), abs=1e-4)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((0, 0), '0 permutations of 9 pieces asked for, expected 1 to 362880'),
        ((25, 0, 4), '25 permutations of 4 pieces asked for, expected 1 to 24'),
        ((5, 0, 10), '10 pieces asked for, expected 2 to 9'),
        ((5, -1), 'seed -1 found, expected a whole number from 0 up'),
    ],
)
def test_impossible_numbers_are_told(arguments, message):
    with pytest.raises(ValueError, match=f'^{message}$'):
        select_permutations(*arguments)


def test_written_files_are_read(tmp_path):
    rows = select_permutations(7, 0, 5)
    path = tmp_path / 'new' / 'some.txt'
    save_permutations(path, rows, ['seven of them'])
    assert path.read_text().splitlines()[:2] == ['# seven of them', ' '.join(map(str, rows[0]))]
    assert np.array_equal(load_permutations(path, 5), rows)
    assert np.array_equal(load_permutations(str(path), 5, count=7), rows)


def test_comments_and_blank_lines_are_passed_over(tmp_path):
    path = tmp_path / 'some.txt'
    path.write_text('# head\n\n2 0 1  # the first\n \t\n0 1\t2\n')
    assert load_permutations(path, 3).tolist() == [[2, 0, 1], [0, 1, 2]]


GOOD = '8 7 6 5 4 3 2 1 0'


@pytest.mark.parametrize(
    ('content', 'place', 'found'),
    [
        (f'# two\n{GOOD}\n0 1 2 3 4 5 6 7 7\n', ':3', "found '0 1 2 3 4 5 6 7 7', expected each of 0..8 once"),
        (f'{GOOD}\n1 2 3 4 5 6 7 8 9\n', ':2', "found '1 2 3 4 5 6 7 8 9', expected each of 0..8 once"),
        ('3 1 0 2\n', ':1', "found '3 1 0 2', expected each of 0..8 once"),
        ('0 1 2 3 4 5 6 7 8 9\n', ':1', "found '0 1 2 3 4 5 6 7 8 9', expected each of 0..8 once"),
        ('0 1 2 3 4 5 6 7 -8\n', ':1', "found '0 1 2 3 4 5 6 7 -8', expected each of 0..8 once"),
        ('0,1,2,3,4,5,6,7,8\n', ':1', "found '0,1,2,3,4,5,6,7,8', expected each of 0..8 once"),
        ('0 1 2 3 4 5 6 7 8.0\n', ':1', "found '0 1 2 3 4 5 6 7 8.0', expected each of 0..8 once"),
        (f'{GOOD}\n0 1 2 3 4 5 6 7 8\n\n{GOOD}\n', ':4', 'the permutation of line 1 again, expected each once'),
        ('# nothing\n', '', 'no permutation in the file, expected one of 0..8 a line'),
        ('', '', 'no permutation in the file, expected one of 0..8 a line'),
        (b'\x93NUMPY\xff', '', 'not a text file; expected one permutation of 0..8 a line'),
        (f'{GOOD}\n', '', '1 permutations found, 100 expected'),
    ],
)
def test_bad_files_are_told_in_one_line(tmp_path, content, place, found):
    path = tmp_path / 'bad.txt'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as error:
        load_permutations(path, count=100)
    assert str(error.value) == f'{path}{place}: {found}'


def test_files_that_are_missing(tmp_path):
    path = tmp_path / 'none.txt'
    with pytest.raises(DataNotFoundError, match=re.escape(f'{path}: the file of permutations does not exist')):
        load_permutations(path)
    with pytest.raises(DataNotFoundError) as error:
        load_permutations(50)
    assert str(error.value) == (
        'no file with 50 permutations of 9 pieces comes with mmssl, expected one of [100, 1000] or the path of a file '
        'made by tools/make_permutations.py'
    )
    with pytest.raises(DataError, match='9_pieces_100.txt: 100 permutations found, 1000 expected'):
        load_permutations(100, count=1000)
