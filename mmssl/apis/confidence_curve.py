"""The share of confident pixels over the training (S2, figure 2.9)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmssl.apis.log_reading import read_run, smooth
from mmssl.models.weighting.sigmoid_ramp_up import sigmoid_ramp_up

KEY = 'pseudo/confident_share'


@dataclass(frozen=True)
class ConfidenceCurve:
    """The records of one run.

    Attributes:
        name: of the run.
        iterations: (N,) int64, from 1, rising.
        shares: (N,) float64, 0 to 1: of the batch of that iteration, the pixels with a confidence above the threshold.
    """

    name: str
    iterations: np.ndarray
    shares: np.ndarray

    def running_mean(self, window: int) -> np.ndarray:
        """(N,) means of each record and those before it, as many as the window holds."""
        return smooth(self.shares.tolist(), window)


def read_confidence(source: str | Path, name: str) -> ConfidenceCurve:
    """Reads what ``PseudoLabelHook`` has logged.

    Args:
        source: work dir, with the runs that its newest one continues, or a ``scalars.json``.
        name: of the run.

    Returns:
        The curve.

    Raises:
        FileNotFoundError: no log.
        ValueError: the log has no share of confident pixels, or is damaged.
    """
    train = read_run(source).train
    # The second is written with log_processor.log_with_hierarchy.
    pairs = train.get(KEY) or train.get(f'train/{KEY}')
    if not pairs:
        raise ValueError(f'run {source}: no {KEY!r} in its log, expected one trained with mmssl.PseudoLabelHook')
    iterations, shares = zip(*pairs, strict=True)
    return ConfidenceCurve(name, np.array(iterations), np.array(shares))


def ramp(length: int, slope: float, last: int, points: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """The sigmoid of equation 2.13 to draw beside a curve.

    Args:
        length: k_max, iterations.
        slope: c.
        last: iteration to draw to.
        points: how many.

    Returns:
        (points,) iterations, and (points,) weights, exp(-slope) to 1.
    """
    iterations = np.linspace(0, last, points)
    return iterations, np.array([sigmoid_ramp_up(iteration, length, slope) for iteration in iterations])
