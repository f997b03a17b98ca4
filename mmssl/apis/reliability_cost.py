"""What exact resume, preemption and the other promises cost: a share of a training step, and of saving."""

import functools
import io
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmssl.apis.timing import PairedComparison, compare, time_in_turns
from mmssl.background import Background, finish_background_work
from mmssl.datasets import numbered_batches
from mmssl.engine.hooks import NonFiniteLossHook, PreemptionHook, ResumeCheckHook
from mmssl.engine.hooks.atomic_checkpoint_hook import place
from mmssl.engine.loops import resumable_train_loops
from mmssl.engine.streamed_saving import save_streamed
from mmssl.pending_files import PendingFiles

HOOKS = (ResumeCheckHook, PreemptionHook, NonFiniteLossHook)
MOMENTS = ('before_train_iter', 'after_train_iter')


class StepClock(Hook):
    """Measure whole iterations of a training, and what our parts of them take.

    Timed are the calls of the hooks and of the seeding themselves: a difference of two trainings would have to be found
    under the noise of the machine, which is larger. Seeding of samples is counted in full, as if there were no workers
    to do it.

    Args:
        warmup: iterations that are not counted, at least 1.
    """

    priority = 'VERY_LOW'

    def __init__(self, warmup: int) -> None:
        self.warmup = warmup
        self.steps: list[float] = []
        """Seconds of each iteration after the warm-up, loading included."""
        self.parts: dict[str, list[float]] = defaultdict(list)
        """Name of a part to its seconds in each of these iterations."""
        self._current: dict[str, float] = defaultdict(float)
        self._begun = 0.0

    def timed(self, name: str, function: Callable) -> Callable:
        """The function, with its time added to a part."""

        def call(*args, **kwargs):
            begun = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self._current[name] += time.perf_counter() - begun

        return call

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """End an iteration."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        if runner.iter >= self.warmup:
            self.steps.append(now - self._begun)
            for name, seconds in self._current.items():
                self.parts[name].append(seconds)
        self._begun = now
        self._current.clear()


def time_training(runner: Runner, warmup: int) -> StepClock:
    """Run the training of a recipe with clocks at our parts.

    Args:
        runner: with a loop of ours; its training is run to its end.
        warmup: iterations that are not counted.

    Returns:
        The clock. What it measured does not contain the clocks' own calls of other parts.
    """
    clock = StepClock(warmup)
    for hook in runner.hooks:
        if isinstance(hook, HOOKS):
            for moment in MOMENTS:
                setattr(hook, moment, clock.timed(type(hook).__name__, getattr(hook, moment)))
    modules = {'seed of the step': resumable_train_loops, 'seeds of the samples': numbered_batches}
    seed_all = numbered_batches.seed_all
    runner.register_hook(clock)
    try:
        for name, module in modules.items():
            module.seed_all = clock.timed(name, seed_all)
        runner.train()
    finally:
        for module in modules.values():
            module.seed_all = seed_all
    return clock


def time_saving(content: dict, folder: Path, repeats: int, progress=iter) -> dict[str, PairedComparison]:
    """Time how long saving a checkpoint holds a training up, in turns with other ways.

    Each begins with nothing to be written to the disk and without the file.

    Args:
        content: the checkpoint.
        folder: for the files.
        repeats: rounds.
        progress: wraps the rounds.

    Returns:
        What was compared to the shares: the time until a training goes on, of that of ``torch.save`` and of mmengine's
        way; the time until the checkpoint is in its place and pointed to, of that of ``torch.save`` that waits for the
        disk.
    """
    path = folder / 'checkpoint.pth'

    def held_up() -> Background:
        files = PendingFiles()
        save_streamed(files, content, str(path))
        return Background(functools.partial(place, files, str(folder), str(path), []))

    def in_its_place() -> None:
        held_up().wait()

    def plain() -> None:
        torch.save(content, path)

    def flushed() -> None:
        with path.open('wb') as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())

    def mmengines() -> None:
        with io.BytesIO() as buffer:
            torch.save(content, buffer)
            path.write_bytes(buffer.getvalue())

    def clean() -> None:
        finish_background_work()
        path.unlink(missing_ok=True)
        os.sync()

    ways = [held_up, plain, mmengines, in_its_place, flushed]
    ours, torchs, theirs, placed, waited = time_in_turns(ways, repeats, rounds=progress, between=clean)
    return {
        'going on / torch.save': compare(ours, torchs),
        "going on / mmengine's way": compare(ours, theirs),
        'in its place / torch.save and fsync': compare(placed, waited),
    }


def noise_checkpoint(megabytes: float) -> dict:
    """A checkpoint of a size: 40 float32 tensors of noise."""
    return {'state_dict': {f'layer{number}': torch.randn(int(megabytes * 1e6 / 4 / 40)) for number in range(40)}}
