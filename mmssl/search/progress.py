"""How long a series of trainings still takes."""

from collections.abc import Sequence


def time_left(seconds: Sequence[float], total: int) -> str:
    """Words for what is left, by the mean of what is done.

    Args:
        seconds: of each training that has ended, at least one.
        total: trainings in all.

    Returns:
        Such as ``3 of 12 done, about 14 min left``.
    """
    done = len(seconds)
    left = sum(seconds) / done * (total - done)
    return f'{done} of {total} done' + (f', about {left / 60:.0f} min left' if done < total else '')
