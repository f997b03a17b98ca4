"""Paired timing: several callables take turns, so that a machine that slows down slows all of them down."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Quartiles:
    """Median with the quartiles around it, in the unit of the samples."""

    lower: float
    median: float
    upper: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> 'Quartiles':
        """Computes the 25th, 50th and 75th percentile with linear interpolation; at least one sample."""
        lower, median, upper = np.percentile(np.asarray(samples, dtype=np.float64), [25, 50, 75])
        return cls(float(lower), float(median), float(upper))


@dataclass(frozen=True)
class PairedComparison:
    """How long the first callable takes, as a share of the second.

    Attributes:
        ratio_of_medians: median of the first divided by the median of the second; below 1 means faster.
        paired_ratios: quartiles of first[i] / second[i], each of two neighbouring runs.
    """

    ratio_of_medians: float
    paired_ratios: Quartiles


def time_in_turns(
    callables: Sequence[Callable[[], object]],
    repeats: int,
    *,
    warmup: int = 3,
    clock: Callable[[], float] = time.perf_counter,
    synchronize: Callable[[], None] | None = None,
    rounds: Callable[[range], Iterator[int]] = iter,
    between: Callable[[], None] | None = None,
) -> list[list[float]]:
    """Times callables in the order A, B, A, B, ... after a warm-up in the same order.

    Args:
        callables: what to time, one or more.
        repeats: timed rounds, at least 1; in each round every callable runs once.
        warmup: rounds before that which are not timed, 0 or more.
        clock: seconds as a float; read immediately before and after each call.
        synchronize: waits for the work that a call left running (an accelerator's queue); called before each
            reading of the clock.
        rounds: wraps the range of all rounds, warm-up included, to show progress.
        between: called before each callable, and not timed.

    Returns:
        For each callable its ``repeats`` durations in seconds.

    Raises:
        ValueError: nothing to time, no repeats or a negative warm-up.
    """
    if not callables:
        raise ValueError('time_in_turns: nothing to time')
    if repeats < 1:
        raise ValueError(f'repeats: {repeats} found, at least 1 expected')
    if warmup < 0:
        raise ValueError(f'warmup: {warmup} found, at least 0 expected')
    wait, prepare = synchronize or (lambda: None), between or (lambda: None)
    seconds: list[list[float]] = [[] for _ in callables]
    for index in rounds(range(warmup + repeats)):
        for function, durations in zip(callables, seconds, strict=True):
            prepare()
            wait()
            start = clock()
            function()
            wait()
            duration = clock() - start
            if index >= warmup:
                durations.append(duration)
    return seconds


def compare(first: Sequence[float], second: Sequence[float]) -> PairedComparison:
    """Compares the durations of two callables that took turns.

    Args:
        first: seconds, one per round, all positive.
        second: seconds of the same rounds.

    Returns:
        The ratio of the medians and the quartiles of the ratios within each round.

    Raises:
        ValueError: different lengths, no rounds, or a duration that is not positive.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.size == 0:
        raise ValueError(f'compare: {a.size} and {b.size} durations found, equal numbers above 0 expected')
    if a.min() <= 0 or b.min() <= 0:
        raise ValueError(f'compare: duration {min(a.min(), b.min())} s found, positive durations expected')
    return PairedComparison(float(np.median(a) / np.median(b)), Quartiles.of(a / b))
