"""Signals that ask a run to leave: who reacts to them, and who does not."""

import functools
import os
import signal
import threading
from collections.abc import Callable, Sequence

from torch.utils.data import DataLoader


class SignalNote:
    """Remember the first of some signals, instead of ending by it.

    Args:
        signals: which.
    """

    def __init__(self, signals: Sequence[signal.Signals]) -> None:
        self.signals = tuple(signals)
        self.first = 0
        """Number of the first signal that came, 0 before."""
        self._before: dict[signal.Signals, object] = {}

    def listen(self) -> bool:
        """Start; False in a thread that is not the main one, where Python does not allow it."""
        if threading.current_thread() is not threading.main_thread():
            return False
        self.first = 0
        for number in self.signals:
            self._before[number] = signal.signal(number, self._note)
        return True

    def restore(self) -> None:
        """Give the signals back to those who had them."""
        while self._before:
            number, handler = self._before.popitem()
            # None: a handler that was not set by Python, which Python cannot set again either
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _note(self, number: int, frame) -> None:
        # Nothing else: it interrupts anything, a checkpoint that is being written too.
        self.first = self.first or number


def shield_workers(loader: DataLoader, signals: Sequence[signal.Signals]) -> Callable[[], None]:
    """Let the workers that a loader will start live through signals that are sent to all processes of a job.

    A scheduler sends them to the workers too. One that ends by them makes torch raise an error in the training, in the
    middle of whatever it does. Their parent can end them as before.

    Args:
        loader: its next iterator starts such workers.
        signals: which.

    Returns:
        To be called for the loader as it was. Systems without ``sigwaitinfo`` (macOS) have it so from the start.
    """
    before = loader.worker_init_fn
    if loader.num_workers and hasattr(signal, 'sigwaitinfo'):
        loader.worker_init_fn = functools.partial(_start_worker, before, tuple(signals))

    def restore() -> None:
        loader.worker_init_fn = before

    return restore


def _start_worker(before: Callable[[int], None] | None, signals: tuple, worker: int) -> None:
    # Blocked rather than ignored: only so can it be seen who sent a signal. Threads started from here inherit it.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    threading.Thread(target=_obey, args=(os.getppid(), signals), daemon=True).start()
    if before is not None:
        before(worker)


def _obey(parent: int, signals: tuple) -> None:
    while signal.sigwaitinfo(signals).si_pid != parent:
        pass
    os._exit(0)
