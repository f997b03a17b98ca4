"""The four criteria on hand-made weights, and against the search of the paper's own definition."""

import numpy as np
import pytest
import torch

from mmssl.pruning.criteria import CRITERIA, score_weights
from mmssl.pruning.ticket import find_masks

INITIAL = {'a': torch.tensor([4.0, -1, 8, -3, 2])}
FINAL = {'a': torch.tensor([3.0, -6, -2, -5, 1])}


@pytest.mark.parametrize(
    ('criterion', 'scores', 'kept'),
    [
        ('large_final', [3, 6, 2, 5, 1], [0, 1, 3]),
        ('magnitude_increase', [-1, 5, -6, 2, -1], [1, 3, 4]),  # of the tie the first goes
        # ranks of |w_f| are 3 5 2 4 1 of 5, of |w_i| 4 1 5 3 2
        ('large_init_large_final', [0.6, 0.2, 0.4, 0.6, 0.2], [0, 2, 3]),
        ('large_final_same_sign', [3, 6, -2, 5, 1], [0, 1, 3]),
    ],
)
def test_by_hand(criterion, scores, kept):
    found = score_weights(FINAL, criterion, initial=INITIAL)['a']
    assert found.tolist() == pytest.approx(scores, abs=1e-6)
    mask = find_masks(FINAL, 0.4, criterion=criterion, initial=INITIAL)['a']
    assert mask.nonzero().squeeze(1).tolist() == kept


def test_criteria_disagree():
    """No two prune these weights in the same order."""
    orders = {
        criterion: tuple(score_weights(FINAL, criterion, initial=INITIAL)['a'].argsort(stable=True).tolist())
        for criterion in CRITERIA
    }
    assert len(set(orders.values())) == len(CRITERIA) == 4


@pytest.mark.parametrize('sparsity', [0.25, 0.5, 0.8])
def test_large_init_large_final_is_one_percentile_of_both(sparsity):
    """The paper: kept is what lies above one and the same percentile of |w_i| and of |w_f|."""
    generator = torch.Generator().manual_seed(0)
    initial = torch.randn(1001, generator=generator)
    final = 5 * initial + torch.randn(1001, generator=generator) ** 3
    mask = find_masks({'a': final}, sparsity, criterion='large_init_large_final', initial={'a': initial})['a'].numpy()
    start, end = initial.abs().numpy(), final.abs().numpy()
    best = None
    for percentile in np.linspace(0, 100, 4005):
        keep = (start > np.percentile(start, percentile)) & (end > np.percentile(end, percentile))
        if best is None or abs(keep.sum() - mask.sum()) < abs(best.sum() - mask.sum()):
            best = keep
    assert abs(int(best.sum()) - int(mask.sum())) <= 1
    assert (best != mask).sum() <= 1
    alpha = np.percentile(start, 100 * sparsity) / np.percentile(end, 100 * sparsity)
    assert 0.1 < alpha < 0.3  # magnitudes alone would compare five times larger weights


def test_flipped_weights_go_before_any_that_kept_their_sign():
    initial, final = torch.tensor([1.0, -1, 1, -1, 1]), torch.tensor([-5.0, 0.1, 0.01, -0.02, -0.3])
    mask = find_masks({'a': final}, 0.6, criterion='large_final_same_sign', initial={'a': initial})['a']
    assert mask.tolist() == [False, False, True, True, False]


def test_scope_of_ranks():
    """Ranked alone, the small weights of one layer count as much as the large ones of another."""
    final = {'a': torch.tensor([1.0, 2.0]), 'b': torch.tensor([10.0, 20.0])}
    layer = score_weights(final, 'large_init_large_final', initial=final)
    assert [score.tolist() for score in layer.values()] == [[0.5, 1], [0.5, 1]]
    together = score_weights(final, 'large_init_large_final', initial=final, scope='global')
    assert [score.tolist() for score in together.values()] == [[0.25, 0.5], [0.75, 1]]


@pytest.mark.parametrize('scope', ['layer', 'global'])
def test_pruned_weights_are_left_out(scope):
    previous = {'a': torch.tensor([True, False, True, True])}
    initial, final = {'a': torch.tensor([1.0, 99, 2, 3])}, {'a': torch.tensor([3.0, 0, 2, 1])}
    scores = score_weights(final, 'large_init_large_final', initial=initial, scope=scope, previous=previous)['a']
    assert scores.tolist() == pytest.approx([1 / 3, float('-inf'), 2 / 3, 1 / 3])


def test_half_precision_does_not_tie():
    initial, final = torch.tensor([1.0, 1.0]).bfloat16(), torch.tensor([256.0, 258.0]).bfloat16()
    scores = score_weights({'a': final}, 'magnitude_increase', initial={'a': initial})['a']
    assert scores.tolist() == [255, 257]  # bfloat16 would round both to 256


def test_bad_input():
    with pytest.raises(ValueError, match="criterion: 'random' found, one of 'large_final', 'magnitude_increase'"):
        score_weights(FINAL, 'random')
    for criterion in set(CRITERIA) - {'large_final'}:
        with pytest.raises(ValueError, match=f'{criterion!r} compares with the weights before training, none'):
            score_weights(FINAL, criterion)
    with pytest.raises(ValueError, match="'magnitude_increase': a is missing among"):
        score_weights(FINAL, 'magnitude_increase', initial={'b': FINAL['a']})
    with pytest.raises(ValueError, match=r'a before training has another shape, \(2,\) found, \(5,\) expected'):
        score_weights(FINAL, 'magnitude_increase', initial={'a': torch.ones(2)})
    assert score_weights(FINAL, initial={})['a'].equal(FINAL['a'].abs())  # not looked at
