"""A number, or a range that a number is drawn from."""

import math
from collections.abc import Sequence


def as_range(value: float | Sequence[float], name: str, where: str) -> tuple[float, float]:
    """Make a range of an option that is a number or a pair.

    Args:
        value: a number, or a pair (lowest, highest).
        name: of the option, for the message.
        where: the transform that has it.

    Returns:
        Lowest and highest, each of the type it had; the same twice for a number.

    Raises:
        ValueError: neither a finite number nor a rising pair of them.
    """
    pair = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    numbers = [isinstance(one, (int, float)) and not isinstance(one, bool) and math.isfinite(one) for one in pair]
    if numbers != [True, True] or pair[0] > pair[1]:
        raise ValueError(f'{where}: {name}={value!r}, expected a number or a pair (lowest, highest)')
    return pair
