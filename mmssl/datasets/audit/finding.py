"""What an audit of data finds."""

from dataclasses import dataclass

ERROR = 'error'
"""A training or an evaluation would stop at it, or would be wrong."""
WARNING = 'warning'
"""It may be meant."""


@dataclass(frozen=True)
class Finding:
    """One fault of one file.

    Attributes:
        level: ``ERROR`` or ``WARNING``.
        kind: of the fault, a word or two: ``missing``, ``broken``, ``size``, ``ids``, ``list``, ``overlap``, ...
        text: one line that begins with the file: what was found, what was expected.
    """

    level: str
    kind: str
    text: str
