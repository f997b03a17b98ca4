"""Timing in turns, with clocks that the tests control."""

import pytest

from mmssl.apis.timing import PairedComparison, Quartiles, compare, time_in_turns


class FakeMachine:
    """A clock that only work moves; every task can be slower in some rounds."""

    def __init__(self):
        self.now, self.order = 0.0, []

    def clock(self) -> float:
        return self.now

    def task(self, name, seconds):
        durations = iter(seconds)

        def run():
            self.order.append(name)
            self.now += next(durations)

        return run


def test_turns_and_warmup():
    machine = FakeMachine()
    tasks = [machine.task('A', [9, 1, 2, 3]), machine.task('B', [9, 2, 4, 8])]
    assert time_in_turns(tasks, 3, warmup=1, clock=machine.clock) == [[1, 2, 3], [2, 4, 8]]
    assert machine.order == ['A', 'B'] * 4


def test_queued_work_counts_for_the_task_that_queued_it():
    machine = FakeMachine()
    queue = []

    def synchronize():
        machine.now += sum(queue)
        queue.clear()

    tasks = [lambda: queue.append(5.0), lambda: queue.append(2.0)]
    queue.append(100.0)  # left over from before
    seconds = time_in_turns(tasks, 2, warmup=0, clock=machine.clock, synchronize=synchronize)
    assert seconds == [[5, 5], [2, 2]]


def test_what_is_done_between_is_not_timed():
    machine = FakeMachine()

    def between():
        machine.order.append('between')
        machine.now += 1000

    tasks = [machine.task('A', [1, 2]), machine.task('B', [3, 4])]
    assert time_in_turns(tasks, 2, warmup=0, clock=machine.clock, between=between) == [[1, 2], [3, 4]]
    assert machine.order == ['between', 'A', 'between', 'B'] * 2


def test_rounds_include_warmup():
    seen = []
    time_in_turns([lambda: None], 4, warmup=2, rounds=lambda indices: seen.append(len(indices)) or iter(indices))
    assert seen == [6]


def test_statistics_by_hand():
    assert Quartiles.of([4, 1, 3, 2]) == Quartiles(1.75, 2.5, 3.25)
    # The machine is ten times slower in the last round: the pairs do not mind, single times would.
    result = compare([1, 1, 10], [2, 4, 20])
    assert result == PairedComparison(1 / 4, Quartiles(0.375, 0.5, 0.5))


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: time_in_turns([], 1), 'nothing to time'),
        (lambda: time_in_turns([print], 0), 'repeats: 0'),
        (lambda: time_in_turns([print], 1, warmup=-1), 'warmup: -1'),
        (lambda: compare([1], [1, 2]), '1 and 2 durations'),
        (lambda: compare([], []), '0 and 0 durations'),
        (lambda: compare([1.0], [0.0]), 'duration 0.0 s'),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
