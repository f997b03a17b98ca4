"""The weight of a task over the training."""

from mmssl.models.weighting.sigmoid_ramp_up import sigmoid_ramp_up

SHAPES = ('constant', 'linear', 'sigmoid')


class TaskSchedule:
    """A weight that is fixed, or moves from one value to another over some iterations.

    Args:
        weight: from ``end`` on, or all the time; 0 or more.
        start: weight before ``begin``; 0 or more.
        begin: iteration in which the change begins.
        end: iteration from which it is done; after ``begin``.
        shape: ``'constant'``, ``'linear'``, or ``'sigmoid'``, exp(-5 (1 - t)^2) of S2, equation 2.13, which itself
            begins at 0.0067 of the way.

    Raises:
        ValueError: on other values, ``start``, ``begin`` or ``end`` beside a constant weight, or a change without end.
    """

    def __init__(
        self,
        weight: float = 1.0,
        *,
        start: float | None = None,
        begin: int | None = None,
        end: int | None = None,
        shape: str = 'constant',
    ):
        if shape not in SHAPES:
            raise ValueError(f'shape={shape!r}, expected one of {SHAPES}')
        given = {'start': start, 'begin': begin, 'end': end}
        if shape == 'constant' and any(value is not None for value in given.values()):
            raise ValueError(f'{given} beside shape="constant", expected none of them, or another shape')
        for name, value in (('weight', weight), ('start', start or 0)):
            if not 0 <= value < float('inf'):
                raise ValueError(f'{name}={value}, expected 0 or more')
        self.weight, self.start, self.begin, self.shape = weight, start or 0.0, begin or 0, shape
        if shape != 'constant' and (end is None or not 0 <= self.begin < end):
            raise ValueError(f'begin={self.begin}, end={end}, expected iterations from 0, one after the other')
        self.end = end

    def __call__(self, iteration: int) -> float:
        """The weight in an iteration, from 0."""
        if self.shape == 'constant' or iteration >= self.end:
            return self.weight
        if iteration < self.begin:
            return self.start
        done, length = iteration - self.begin, self.end - self.begin
        share = done / length if self.shape == 'linear' else sigmoid_ramp_up(done, length)
        return self.start + share * (self.weight - self.start)
