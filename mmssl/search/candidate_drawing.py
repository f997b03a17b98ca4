"""Draw the next candidate: within the budget, and none that was there before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mmssl.apis.config import ConfigError
from mmssl.apis.model_complexity import PartComplexity
from mmssl.search.budget import Budget
from mmssl.search.candidate import Candidate
from mmssl.search.space import Genes, Space, genes_key


class Algorithm(Protocol):
    """What proposes genes: ``RandomSearch`` or ``RegularizedEvolution``."""

    def propose(
        self, space: Space, history: Sequence[Candidate], generator: np.random.Generator
    ) -> tuple[Genes, int | None]:
        """Genes, and the number of the parent or None."""


@dataclass(frozen=True)
class Draw:
    """An accepted candidate.

    Attributes:
        genes: the architecture.
        parent: number of the parent or None.
        cost: of its segmentation network.
        over_budget: draws before it that were beyond the budget.
        repeated: draws before it that an earlier candidate had been.
    """

    genes: Genes
    parent: int | None
    cost: PartComplexity
    over_budget: int
    repeated: int


def draw_candidate(
    algorithm: Algorithm,
    space: Space,
    history: Sequence[Candidate],
    seed: int,
    budget: Budget,
    measure: Callable[[Genes], PartComplexity],
) -> Draw:
    """Propose until a candidate is new and within the budget.

    The generator is seeded by the seed and the number of the candidate: the same history gives the same candidate,
    also in a search that was interrupted. A candidate that failed counts as there: it would fail again.

    Deviations from algorithm 1 of Real et al.: an architecture comes once, for equal seeds would give it the same score
    again; each new try is a new tournament.

    Args:
        algorithm: proposes.
        space: of the search.
        history: all candidates so far.
        seed: of the search.
        budget: limits, and the number of tries.
        measure: counts a network of genes.

    Returns:
        The candidate.

    Raises:
        ConfigError: none was found within ``budget.max_draws`` tries.
    """
    generator = np.random.default_rng((seed, len(history)))
    seen = {genes_key(candidate.genes) for candidate in history}
    costs: dict[str, PartComplexity] = {}
    over_budget = repeated = 0
    for _ in range(budget.max_draws):
        genes, parent = algorithm.propose(space, history, generator)
        key = genes_key(genes)
        if key in seen:
            repeated += 1
            continue
        if key not in costs:
            costs[key] = measure(genes)
        if budget.allows(costs[key]):
            return Draw(genes, parent, costs[key], over_budget, repeated)
        over_budget += 1
    smallest = min(costs.values(), key=lambda cost: (cost.parameters, cost.flops), default=None)
    hint = f'; the smallest has {smallest.parameters:,} and {smallest.flops / 1e9:.3g} GFLOPs' if smallest else ''
    raise ConfigError(
        f'candidate {len(history)}: {budget.max_draws} draws, {over_budget} beyond the budget of {budget} and '
        f'{repeated} repeated{hint}; expected a wider budget, a larger space or fewer candidates'
    )
