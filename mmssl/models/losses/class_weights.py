"""Weights for unbalanced classes (S0, section 4.2.1)."""

import numpy as np


def enet_class_weights(frequencies: np.ndarray, c: float = 1.02) -> np.ndarray:
    """Weights 1 / ln(c + p) of equation 4.1 (from ENet, Paszke et al. 2016).

    Args:
        frequencies: (K,), share p of each class in the labelled pixels, in [0, 1].
        c: bound, above 1; 1.02 keeps the weights between 1.42 (p = 1) and 50.5 (p = 0).

    Returns:
        (K,), float64.

    Raises:
        ValueError: when c is not above 1, or a frequency lies outside [0, 1].
    """
    frequencies = np.asarray(frequencies, dtype=np.float64)
    if c <= 1:
        raise ValueError(f'enet_class_weights: c={c}, expected above 1')
    if frequencies.size and (frequencies.min() < 0 or frequencies.max() > 1):
        raise ValueError(f'enet_class_weights: frequencies {frequencies.tolist()}, expected shares in [0, 1]')
    return 1 / np.log(c + frequencies)
