"""Work that goes on beside what its process does."""

import threading
import weakref
from collections.abc import Callable

_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class Background:
    """A call in a thread of its own, which a process that ends by itself waits for.

    Args:
        function: without arguments; it must not touch what the caller goes on with.
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._error: BaseException | None = None
        # No daemon: the interpreter joins it, also where an error ends the program.
        self._thread = threading.Thread(target=self._run, name='mmssl.Background', daemon=False)
        self._thread.start()
        _threads.add(self._thread)

    @property
    def failed(self) -> bool:
        """Whether it has ended by an error, which :meth:`wait` raises."""
        return self._error is not None

    def wait(self) -> None:
        """Wait for the end.

        Raises:
            Exception: what the function raised.
        """
        self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self) -> None:
        try:
            self._function()
        except BaseException as error:
            self._error = error


def finish_background_work() -> None:
    """Wait for all calls of this process; an error stays with the :class:`Background` it belongs to."""
    for thread in tuple(_threads):
        thread.join()
