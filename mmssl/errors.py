"""Errors about the user's data: one line that names the file, what was found and what was expected."""

import re


class DataError(ValueError):
    """A fault in the user's data, told in one line.

    It takes one string, as torch needs to raise it again outside the worker process it happened in; a host that adds
    a traceback to that string is undone by :func:`one_line`.

    Args:
        message (str): What was found, what was expected, and in which file.
    """


class DataNotFoundError(DataError, FileNotFoundError):
    """A file or folder of the user's data does not exist."""


class BrokenImageError(DataError):
    """An image or a mask is there and cannot be read: truncated, damaged, or not an image at all."""


def one_line(error: BaseException) -> str:
    """The one line of an error, also when torch raised it again from a DataLoader worker.

    A worker's error arrives with the whole traceback in its text: ``Caught X in DataLoader worker process 0.``, the
    original traceback, and as its last paragraph ``package.X: the line``.

    Args:
        error (BaseException): The error as it was caught.

    Returns:
        str: Its line without traceback; the name of the class for an error without a text.
    """
    text = str(error).strip()
    if isinstance(error, KeyError) and len(error.args) == 1:
        # KeyError shows its argument in quotes, and a missing key alone says nothing.
        text = str(error.args[0]) if ' ' in str(error.args[0]) else f'KeyError: {text}'
    caught = re.match(r'Caught (\w+) in .*\nOriginal Traceback', text)
    if caught:
        # Of chained errors the last one is the one that was raised.
        *_, message = re.split(rf'^(?:[\w.]+\.)?{caught[1]}(?:: |$)', text, flags=re.MULTILINE)
        text = message.strip() or caught[1]
    return ' '.join(text.split()) or type(error).__name__


def printable(text: object) -> str:
    """A text from a file, for a message: one line, and nothing that moves the cursor or colours a terminal."""
    return ''.join(letter if letter.isprintable() else '?' for letter in ' '.join(str(text).split()))
