"""Train a candidate in a process of its own, and read what it came to."""

import math
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmssl.apis.config import ConfigError
from mmssl.apis.log_reading import read_run
from mmssl.checkpoint_pointer import POINTER

OUTPUT = 'output.txt'
PROGRESS = (' Iter(', ' Epoch(', ' ERROR ')
"""What is shown of a training; the whole output is in its folder."""


class TrainingFailedError(RuntimeError):
    """A candidate could not be trained; the text is the reason."""


@dataclass(frozen=True)
class Trainer:
    """Runs tools/train.py, or tools/dist_train.sh.

    Attributes:
        tools: folder of the two.
        gpus: processes, None for one without a launcher.
        amp: mixed precision.
        keep_open: file descriptors that the training holds open as well.
        show: receives the lines of its progress.
    """

    tools: Path
    gpus: int | None = None
    amp: bool = False
    keep_open: tuple[int, ...] = ()
    show: Callable[[str], None] = print

    def command(self, config: Path, work_dir: Path) -> list[str]:
        """The command line; a training that left a checkpoint goes on from it."""
        start = [sys.executable, str(self.tools / 'train.py'), str(config)]
        if self.gpus:
            start = ['bash', str(self.tools / 'dist_train.sh'), str(config), str(self.gpus)]
        resume = ['--resume'] if (work_dir / POINTER).is_file() else []
        return [*start, '--work-dir', str(work_dir), *resume, *(['--amp'] if self.amp else [])]

    def __call__(self, config: Path, work_dir: Path) -> None:
        """Train, with the output in ``output.txt`` of the work dir.

        Raises:
            TrainingFailedError: it ended with another status than 0; the text is its last line.
        """
        work_dir.mkdir(parents=True, exist_ok=True)
        paths = [str(self.tools.parent), *filter(None, [os.environ.get('PYTHONPATH')])]
        environment = {**os.environ, 'PYTHON': sys.executable, 'PYTHONPATH': os.pathsep.join(paths)}
        last = deque(maxlen=1)
        with (
            open(work_dir / OUTPUT, 'a', encoding='utf-8') as output,
            subprocess.Popen(
                self.command(config, work_dir),
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors='replace',
                pass_fds=self.keep_open,
            ) as process,
        ):
            try:
                for line in process.stdout:
                    output.write(line)
                    output.flush()
                    if line.strip():
                        last.append(' '.join(line.split()))
                    if any(mark in line for mark in PROGRESS):
                        self.show(line.rstrip())
            except BaseException:
                # Nobody waits for a training whose search has ended.
                process.terminate()
                raise
        if process.returncode:
            raise TrainingFailedError(f'status {process.returncode}: {last[0] if last else "no output"}')


def last_value(work_dir: Path, metric: str) -> float:
    """The metric at the last validation of a training.

    Raises:
        ConfigError: the training has no validation, or none with this metric.
        TrainingFailedError: the value is not finite.
    """
    try:
        values = read_run(work_dir).val
    except FileNotFoundError:
        values = {}
    if metric not in values:
        found = ', '.join(values) or 'no validation'
        raise ConfigError(f'{work_dir}: no {metric!r} in the validations, which have: {found}')
    value = values[metric][-1][1]
    if not math.isfinite(value):
        raise TrainingFailedError(f'{metric} is {value}')
    return value
