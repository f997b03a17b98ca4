"""Whether two scores rank the same things alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats


@dataclass(frozen=True)
class RankCorrelation:
    """Agreement of two rankings.

    Attributes:
        n: things that are ranked.
        spearman: Pearson's correlation of the ranks, -1 to 1; equal values share their mean rank.
        spearman_p: two-sided p-value of it under independence, by Student's t with n - 2 degrees of freedom, which is
            an approximation for small n.
        kendall: Kendall's tau-b, -1 to 1: pairs in the same order less pairs in opposite order, ties accounted for.
        kendall_p: two-sided p-value of it under independence, exact where there are no ties (scipy's ``'auto'``).
    """

    n: int
    spearman: float
    spearman_p: float
    kendall: float
    kendall_p: float


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> RankCorrelation:
    """Compare two rankings of the same things.

    Source: M. Kendall, "A new measure of rank correlation", Biometrika 1938, and tau-b of 1945; computed by scipy,
    which mmsegmentation and mmdet require.

    Args:
        first: n finite values, n at least 3.
        second: as many, in the same order.

    Returns:
        Both correlations with n and their p-values.

    Raises:
        ValueError: fewer than three things, two lengths, a value that is not finite, or values that are all equal, of
            which there is no ranking.
    """
    if len(first) != len(second) or len(first) < 3:
        raise ValueError(f'rank correlation: {len(first)} and {len(second)} values found, as many, from 3 on, expected')
    for values in (first, second):
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f'rank correlation: values {list(values)} found, finite ones expected')
        if len(set(values)) == 1:
            raise ValueError(f'rank correlation: {len(values)} equal values {values[0]} found, which have no ranking')
    spearman, kendall = stats.spearmanr(first, second), stats.kendalltau(first, second)
    return RankCorrelation(
        n=len(first),
        spearman=float(spearman.statistic),
        spearman_p=float(spearman.pvalue),
        kendall=float(kendall.statistic),
        kendall_p=float(kendall.pvalue),
    )
