"""How far a schedule has come that follows half a cosine."""

import math


def cosine_progress(share: float) -> float:
    """(1 - cos(pi * share)) / 2: from 0 to 1, slowly at both ends.

    Args:
        share: of the training, from 0; beyond 1 the end is kept.
    """
    return (1 - math.cos(math.pi * min(share, 1))) / 2
