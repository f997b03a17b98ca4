"""Puzzles and neighbours on a grid: numbered patches, slow references."""

import numpy as np
import pytest

from mmssl.visualization.pretext_pictures import centre_and_neighbour, patch_pair, patch_puzzle, solve_puzzle
from mmssl.visualization.pretext_pictures.patch_picture import EMPTY, GAP, OUTLINE, patch_place

SIZE = (6, 7)


@pytest.fixture
def numbered():
    """Nine patches of one value each, ten times their number."""
    return np.stack([np.full((*SIZE, 3), 10 * number, np.uint8) for number in range(9)])


def cell(picture, row, column):
    top, left = row * (SIZE[0] + GAP), column * (SIZE[1] + GAP)
    return picture[top : top + SIZE[0], left : left + SIZE[1]]


def test_a_puzzle_is_solved_by_its_permutation(numbered):
    permutation = [4, 0, 8, 2, 6, 1, 7, 3, 5]
    shuffled = numbered[permutation]  # patch i is that of cell permutation[i]
    assert np.array_equal(solve_puzzle(shuffled, permutation), numbered)
    # A cycle of three cells that is undone the wrong way round: patch 0 came from cell 1, 1 from 2, 2 from 0.
    assert solve_puzzle(np.array(['b', 'c', 'a']), [1, 2, 0]).tolist() == ['a', 'b', 'c']
    assert solve_puzzle(np.array(['b', 'c', 'a']), [2, 0, 1]).tolist() == ['c', 'a', 'b']


@pytest.mark.parametrize('permutation', [[0, 1, 2], [0, 0, 2, 3, 4, 5, 6, 7, 8], [*range(1, 10)]])
def test_what_is_no_permutation_is_refused(numbered, permutation):
    with pytest.raises(ValueError, match='a permutation of the 9 patches'):
        solve_puzzle(numbered, permutation)


def test_cells_and_gaps(numbered):
    picture = patch_puzzle(numbered)
    assert picture.shape == (3 * 6 + 2 * GAP, 3 * 7 + 2 * GAP, 3)
    for number in range(9):
        assert (cell(picture, *divmod(number, 3)) == 10 * number).all()
        rows, columns = patch_place(number, *SIZE)
        assert (picture[rows, columns] == 10 * number).all()
    assert (picture == 255).all(axis=2).sum() == picture[..., 0].size - 9 * 6 * 7


def test_outlines_cover_the_rim_of_a_patch(numbered):
    picture = patch_puzzle(numbered, {5: (1, 2, 3)})
    framed = cell(picture, 1, 2)
    assert framed[0].tolist() == [[1, 2, 3]] * 7
    assert (framed == (1, 2, 3)).all(axis=2).sum() == 6 * 7 - (6 - 2 * OUTLINE) * (7 - 2 * OUTLINE)
    assert (framed[OUTLINE:-OUTLINE, OUTLINE:-OUTLINE] == 50).all()
    assert (cell(picture, 1, 1) == 40).all()
    assert (numbered[5] == 50).all()  # the patches are not drawn on


@pytest.mark.parametrize(('number', 'row', 'column'), [(0, 0, 0), (2, 0, 2), (3, 1, 0), (7, 2, 1)])
def test_neighbour_at_its_place(numbered, number, row, column):
    picture = centre_and_neighbour(numbered[4], numbered[7], number)
    for place in range(9):
        value = {4: 40, number: 70}.get(place, EMPTY)
        assert (cell(picture, *divmod(place, 3)) == value).all(), place
    assert (cell(picture, row, column) == 70).all()
    framed = centre_and_neighbour(numbered[4], numbered[7], number, (9, 9, 9))
    assert (cell(framed, row, column)[0] == 9).all()


@pytest.mark.parametrize('number', [-1, 4, 9])
def test_the_centre_is_no_place_for_a_neighbour(numbered, number):
    with pytest.raises(ValueError, match=f'cell {number} found'):
        centre_and_neighbour(numbered[4], numbered[7], number)


def test_pair_has_the_size_of_a_frame(numbered):
    pair = patch_pair(numbered[4], numbered[7])
    assert pair.shape == centre_and_neighbour(numbered[4], numbered[7], 0).shape
    middle = pair[SIZE[0] + GAP : 2 * SIZE[0] + GAP, :, 0]
    assert (middle == 40).sum() == (middle == 70).sum() == 6 * 7
    assert (pair != 255).any(axis=2).sum() == 2 * 6 * 7
    assert middle[0].tolist().index(40) < middle[0].tolist().index(70)
