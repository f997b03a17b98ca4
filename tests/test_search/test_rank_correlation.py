"""Rank correlations against values computed by hand."""

import pytest

from mmssl.search.rank_correlation import rank_correlation


def test_by_hand_without_ties():
    """Ranks 1 to 5 against 2, 1, 4, 3, 5: d^2 sums to 4, 8 pairs agree and 2 do not."""
    found = rank_correlation([1, 2, 3, 4, 5], [20.0, 10.0, 40.0, 30.0, 50.0])
    assert found.n == 5
    assert found.spearman == pytest.approx(1 - 6 * 4 / (5 * 24))
    assert found.kendall == pytest.approx((8 - 2) / 10)
    # Of 120 orders, those with 0, 1 or 2 inversions are 1 + 4 + 9; two-sided, twice as many.
    assert found.kendall_p == pytest.approx(2 * 14 / 120)
    # t = 0.8 sqrt(3 / 0.36) = 2.3094 with 3 degrees of freedom: p = 1 - (2/pi)(atan(u) + u / (1 + u^2)), u = t/sqrt(3).
    assert found.spearman_p == pytest.approx(0.10409, abs=1e-5)


def test_by_hand_with_ties():
    """1, 2, 2, 3 against 1, 2, 3, 3: ranks 1, 2.5, 2.5, 4 and 1, 2, 3.5, 3.5.

    Four pairs agree, none disagrees, one is tied in each: tau-b = 4 / sqrt(5 * 5). Of the ranks, the covariance is
    3.75 / 4 and both variances are 4.5 / 4.
    """
    found = rank_correlation([1, 2, 2, 3], [1, 2, 3, 3])
    assert found.kendall == pytest.approx(4 / 5)
    assert found.spearman == pytest.approx(3.75 / 4.5)


def test_orders_that_agree_or_oppose():
    values = [3.0, 1.0, 2.0, 10.0]
    same = rank_correlation(values, [value**3 for value in values])
    opposite = rank_correlation(values, [-value for value in values])
    assert (same.spearman, same.kendall) == pytest.approx((1, 1))
    assert (opposite.spearman, opposite.kendall) == pytest.approx((-1, -1))


@pytest.mark.parametrize(
    ('first', 'second', 'message'),
    [
        ([1, 2], [1, 2], '2 and 2 values found, as many, from 3 on, expected'),
        ([1, 2, 3], [1, 2, 3, 4], '3 and 4 values found, as many, from 3 on, expected'),
        ([1, 2, float('nan')], [1, 2, 3], 'finite ones expected'),
        ([1, 2, 3], [2, 2, 2], '3 equal values 2 found, which have no ranking'),
    ],
)
def test_what_has_no_rank_correlation(first, second, message):
    with pytest.raises(ValueError, match=message):
        rank_correlation(first, second)
