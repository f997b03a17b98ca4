"""How much is pruned after each round of iterative pruning."""

from .masks import check_sparsity


def round_sparsity(sparsity: float, index: int, rounds: int) -> float:
    r"""Sparsity of round ``index``, when each round prunes the same share of what is left.

    :math:`s_k = 1 - (1 - s)^{k / n}`. Source: Frankle and Carbin, The lottery ticket hypothesis (2018), section 1: each
    round prunes the same share of the weights that survive the one before.

    Args:
        sparsity: :math:`s`, after the last round, in [0, 1).
        index: :math:`k`; 0 is the dense training.
        rounds: :math:`n`, at least 1.

    Returns:
        The share of pruned weights among all; 0 for round 0, exactly ``sparsity`` for the last.

    Raises:
        ValueError: a number out of its range.
    """
    sparsity = check_sparsity(sparsity)
    if rounds < 1:
        raise ValueError(f'rounds: {rounds} found, at least 1 expected')
    if not 0 <= index <= rounds:
        raise ValueError(f'round: {index} found, 0 to {rounds} expected')
    if index == rounds:
        return sparsity
    return 1 - (1 - sparsity) ** (index / rounds)
