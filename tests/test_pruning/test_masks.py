"""Counts, order and ties of pruned weights; the schedule of rounds."""

import pytest
import torch

from mmssl.pruning.masks import prune_masks
from mmssl.pruning.schedule import round_sparsity


def pruned(mask: torch.Tensor) -> list[int]:
    return (~mask).flatten().nonzero().squeeze(1).tolist()


@pytest.mark.parametrize(
    ('size', 'sparsity', 'count'),
    [
        (10, 0.25, 2),
        (10, 0.35, 4),
        (7, 0.5, 4),
        (9, 0.5, 4),
        (5, 0.8, 4),
        (3, 0.1, 0),
        (1, 0.5, 0),
        (1, 0.8, 1),
        (6, 0, 0),
    ],
)
def test_exact_count_in_a_layer(size, sparsity, count):
    # 3.5 rounds to 4, 4.5 to 4: halves go to the even number
    mask = prune_masks({'a': torch.arange(size).flip(0).double()}, sparsity)['a']
    assert pruned(mask) == list(range(size - count, size))


def test_lowest_scores_go_in_each_layer():
    scores = {'a': torch.tensor([[0.3, 0.1], [0.4, 0.2]]), 'b': torch.tensor([9.0, 7.0, 8.0, 6.0])}
    masks = prune_masks(scores, 0.5)
    assert masks['a'].tolist() == [[True, False], [True, False]]
    assert masks['b'].tolist() == [True, False, True, False]


def test_lowest_scores_go_over_all_layers():
    scores = {'a': torch.tensor([[0.3, 0.1], [0.4, 0.2]]), 'b': torch.tensor([9.0, 7.0, 0.25, 6.0])}
    masks = prune_masks(scores, 0.5, 'global')
    assert pruned(masks['a']) == [0, 1, 3]
    assert pruned(masks['b']) == [2]
    sizes = {'a': (3, 5, 3), 'b': (7,), 'c': (11, 2)}
    masks = prune_masks({name: torch.rand(size) for name, size in sizes.items()}, 0.7, 'global')
    assert {name: mask.shape for name, mask in masks.items()} == sizes
    assert sum(len(pruned(mask)) for mask in masks.values()) == round(0.7 * (45 + 7 + 22))


def test_ties_go_by_position():
    scores = torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0])
    assert pruned(prune_masks({'a': scores}, 0.6)['a']) == [0, 1, 2]
    masks = prune_masks({'a': torch.zeros(2), 'b': torch.zeros(4)}, 0.5, 'global')
    assert (pruned(masks['a']), pruned(masks['b'])) == ([0, 1], [0])
    scores = torch.randint(0, 3, (1000,)).float()
    order = sorted(range(1000), key=lambda index: (scores[index], index))  # Python's sort is stable
    assert pruned(prune_masks({'a': scores}, 0.37)['a']) == sorted(order[:370])


def test_earlier_masks_stay_and_count():
    previous = {'a': torch.tensor([True, True, False, True, True, True, False, True, True, True])}
    scores = {'a': torch.tensor([5.0, 4, 9, 3, 2, 6, 9, 7, 8, 1])}  # the pruned ones look best now
    mask = prune_masks(scores, 0.5, previous=previous)['a']
    assert pruned(mask) == [2, 3, 4, 6, 9]
    assert prune_masks(scores, 0.5, 'global', previous)['a'].equal(mask)
    assert previous['a'].sum() == 8
    assert prune_masks(scores, 0.2, previous=previous)['a'].equal(previous['a'])


@pytest.mark.parametrize('sparsity', [1, 1.0, -0.1, 1.5, float('nan'), True, '0.5', None])
def test_sparsity_out_of_range(sparsity):
    with pytest.raises(ValueError, match='a number from 0 to below 1 expected') as caught:
        prune_masks({'a': torch.rand(4)}, sparsity)
    assert str(caught.value).startswith(f'sparsity: {sparsity!r} found')


def test_other_bad_input():
    scores = {'a': torch.rand(4)}
    with pytest.raises(ValueError, match="scope: 'model' found, one of 'layer', 'global' expected"):
        prune_masks(scores, 0.5, 'model')
    half = {'a': torch.tensor([True, False, False, True])}
    with pytest.raises(ValueError, match=r'sparsity: 0.25 found, but 2 of 4 weights \(a\) are pruned already'):
        prune_masks(scores, 0.25, previous=half)
    with pytest.raises(ValueError, match='2 of 4 weights .all layers. are pruned already'):
        prune_masks(scores, 0.25, 'global', half)
    with pytest.raises(ValueError, match='previous masks: names differ from those of the weights, 2 in all: a'):
        prune_masks(scores, 0.5, previous={'b': half['a']})
    with pytest.raises(ValueError, match=r'previous masks: a has another shape, \(3,\) found, \(4,\) expected'):
        prune_masks(scores, 0.5, previous={'a': torch.ones(3, dtype=torch.bool)})
    with pytest.raises(ValueError, match='a: a score that is not a number'):
        prune_masks({'a': torch.tensor([1.0, float('nan')])}, 0.5)


def test_sparsity_of_rounds():
    assert [round(round_sparsity(0.8, k, 3), 4) for k in range(4)] == [0, 0.4152, 0.658, 0.8]
    left = [1 - round_sparsity(0.8, k, 3) for k in range(4)]
    assert all(after / before == pytest.approx(0.2 ** (1 / 3)) for before, after in zip(left, left[1:], strict=False))
    assert round_sparsity(0.3, 7, 7) == 0.3  # 1 - (1 - 0.3) is not
    assert round_sparsity(0.5, 1, 1) == 0.5
    for arguments, message in [
        ((1.0, 0, 2), 'sparsity: 1.0 found'),
        ((0.5, 0, 0), 'rounds: 0 found'),
        ((0.5, 3, 2), 'round: 3 found, 0 to 2'),
    ]:
        with pytest.raises(ValueError, match=message):
            round_sparsity(*arguments)
