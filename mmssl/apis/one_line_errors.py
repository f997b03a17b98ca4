"""Tell a user's mistake in one line instead of thirty."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mmssl.errors import DataError, one_line

# What a mistake in a config, an option or a path turns into while things are built.
BUILD_ERRORS = (TypeError, ValueError, KeyError, AttributeError, ImportError, OSError, AssertionError)


@contextmanager
def one_line_errors(*kinds: type[Exception]) -> Iterator[None]:
    """End the program with one line on standard error, and status 1, when one of ``kinds`` is raised.

    With ``MMSSL_TRACEBACK=1`` in the environment the exception passes unchanged.

    Args:
        kinds: exceptions to shorten besides ``DataError``; others keep their traceback, for they are our defects.
    """
    try:
        yield
    except (DataError, *kinds) as error:
        if os.environ.get('MMSSL_TRACEBACK') == '1':
            raise
        print(f'error: {one_line(error)} (MMSSL_TRACEBACK=1 shows where)', file=sys.stderr, flush=True)
        raise SystemExit(1) from None
