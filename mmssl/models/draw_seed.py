"""Seeds of what a model draws in an iteration."""

import numpy as np
from mmengine.dist import get_rank


def draw_seed(seed: int, iteration: int) -> int:
    """Seed for the draws of an iteration, by the run's seed, the rank and the iteration alone.

    So a resumed run draws what an uninterrupted one does, and no two ranks draw the same.

    Args:
        seed: of the run, at least 0.
        iteration: of the training, from 0.

    Returns:
        0 to 2^63 - 1.
    """
    (drawn,) = np.random.SeedSequence([seed, get_rank(), iteration]).generate_state(1, np.uint64)
    return int(drawn >> 1)
