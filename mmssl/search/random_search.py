"""Random search: every candidate is drawn from the whole space."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmssl.search.candidate import Candidate
from mmssl.search.space import Genes, Space, sample_genes


@dataclass(frozen=True)
class RandomSearch:
    """Candidates that do not depend on each other: the baseline that an algorithm has to beat.

    Source: L. Li and A. Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019.
    """

    def propose(
        self, space: Space, history: Sequence[Candidate], generator: np.random.Generator
    ) -> tuple[Genes, int | None]:
        """Draw genes; there is no parent.

        Args:
            space: of the search.
            history: candidates so far, not looked at.
            generator: numpy's.

        Returns:
            Genes and None.
        """
        return sample_genes(space, generator), None
