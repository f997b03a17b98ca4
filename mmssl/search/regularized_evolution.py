"""Regularised evolution: a tournament in a population of the youngest, whose winner is mutated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmssl.apis.config import ConfigError
from mmssl.search.candidate import Candidate
from mmssl.search.space import Genes, Space, mutate_genes, sample_genes


@dataclass(frozen=True)
class RegularizedEvolution:
    """Aging evolution.

    Source: E. Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019, algorithm 1: P
    architectures are drawn; then S of the population are drawn with replacement, the best of them is mutated, its child
    joins the population and the oldest leaves it, whatever its score. As every child joins and the oldest leaves, the
    population is the last P finished candidates: a search that continues needs nothing but its log.

    Deviations: a candidate that fails never joins, and nothing leaves for it. Of equal scores the one drawn first wins.

    Args:
        population_size: P, at least 1.
        sample_size: S, of a tournament, from 1 to P.

    Raises:
        ConfigError: for sizes outside of these.
    """

    population_size: int
    sample_size: int

    def __post_init__(self):
        if not isinstance(self.population_size, int) or self.population_size < 1:
            raise ConfigError(
                f'algorithm.population_size: {self.population_size!r} found, a whole number from 1 expected'
            )
        if not isinstance(self.sample_size, int) or not 1 <= self.sample_size <= self.population_size:
            raise ConfigError(
                f'algorithm.sample_size: {self.sample_size!r} found, 1 to population_size={self.population_size} '
                'expected'
            )

    def propose(
        self, space: Space, history: Sequence[Candidate], generator: np.random.Generator
    ) -> tuple[Genes, int | None]:
        """Draw genes while the population fills, then mutate the winner of a tournament.

        Args:
            space: of the search.
            history: all candidates so far, in the order of their numbers.
            generator: numpy's.

        Returns:
            Genes, and the number of the parent, None for genes that were drawn.
        """
        finished = [candidate for candidate in history if candidate.finished]
        if len(finished) < self.population_size:
            return sample_genes(space, generator), None
        population = finished[-self.population_size :]
        drawn = generator.integers(self.population_size, size=self.sample_size)
        parent = max((population[index] for index in drawn), key=lambda candidate: candidate.fitness)
        return mutate_genes(space, parent.genes, generator), parent.number
