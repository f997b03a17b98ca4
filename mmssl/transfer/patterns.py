"""Dotted names of modules with ``*``, and what carries over from one name to another."""

import re


class ModulePattern:
    """A dotted name of a module or tensor in which ``*`` stands for any text, dots included.

    The pattern means everything beneath the name too: ``backbone`` and ``backbone.*`` match
    ``backbone.layers.1.conv.weight``; ``backbone.layers.1`` does not match ``backbone.layers.12.bn1.weight``.

    Args:
        text: the pattern, for example ``backbone.layers.*`` or ``*.conv_seg``.

    Raises:
        ValueError: when it is no such name.
    """

    def __init__(self, text: str):
        if not isinstance(text, str) or not text or re.search(r'\s|\.\.|^\.|\.$', text):
            raise ValueError(f'pattern {text!r} found, a dotted module name expected, in which * stands for any text')
        self.text = text
        self.stars = text.count('*')
        self._regex = re.compile('(.*)'.join(map(re.escape, text.split('*'))) + r'(\..+)?')

    def match(self, name: str) -> tuple[str, ...] | None:
        """What the ``*`` and the end stand for in ``name``, or None when it does not match.

        Args:
            name: dotted name of a tensor.

        Returns:
            The text of each ``*``, and last what follows the pattern, ``''`` or from a dot on.
        """
        match = self._regex.fullmatch(name)
        return None if match is None else tuple(text or '' for text in match.groups())

    def fill(self, texts: tuple[str, ...]) -> str:
        """The name that this pattern gives with the texts of another one's match.

        Args:
            texts: as :meth:`match` of a pattern with the same number of ``*`` returned them.

        Returns:
            A dotted name.
        """
        *stars, end = texts
        parts = self.text.split('*')
        return parts[0] + ''.join(star + part for star, part in zip(stars, parts[1:], strict=True)) + end

    def __repr__(self) -> str:
        return f'ModulePattern({self.text!r})'


def as_patterns(patterns: str | list[str] | tuple[str, ...], option: str) -> tuple[ModulePattern, ...]:
    """Read one pattern or a list of them.

    Args:
        patterns: as a config gives them.
        option: name of the option for the message.

    Returns:
        At least one pattern.

    Raises:
        ValueError: when there is none, or one is no pattern.
    """
    texts = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(texts, (list, tuple)) or not texts:
        raise ValueError(f'{option}={patterns!r}, expected a pattern or a list of patterns')
    try:
        return tuple(ModulePattern(text) for text in texts)
    except ValueError as error:
        raise ValueError(f'{option}: {error}') from None
