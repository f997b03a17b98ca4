"""ERFNet's layers by the numbers of S0, table 3.1."""

import re

LAST_ENCODER_LAYER, LAST_LAYER = 16, 23


def parse_layers(layers: str | int | list | tuple) -> list[int]:
    """Read layer numbers such as ``'1-12'``, ``'1-8,13'`` or ``5``.

    Args:
        layers: one number or range, several in a string with commas, or a list of both.

    Returns:
        The numbers in ascending order, each once, from 1 to 23.

    Raises:
        ValueError: when it is no such text, or a range is empty or beyond the table.
    """
    items = layers if isinstance(layers, (list, tuple)) else str(layers).split(',')
    numbers = set()
    for item in items:
        match = None if isinstance(item, bool) else re.fullmatch(r'\s*(\d+)(?:\s*-\s*(\d+))?\s*', str(item))
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= LAST_LAYER:
            raise ValueError(
                f"layers={layers!r}: {item!r} found, expected numbers from 1 to 23 as in '1-12' or '1-8,13'"
            )
        numbers |= set(range(first, last + 1))
    if not numbers:
        raise ValueError(f"layers={layers!r}, expected numbers from 1 to 23 as in '1-12' or '1-8,13'")
    return sorted(numbers)


def layer_module(number: int) -> str:
    """Name of the module that is a layer of table 3.1 in a segmentor of ``ERFNetEncoder`` and ``ERFNetDecodeHead``.

    Args:
        number: 1 to 16 in the encoder, 17 to 22 in the decoder, 23 for the last layer.

    Returns:
        ``backbone.layers.N``, ``decode_head.layers.N`` or ``decode_head.conv_seg``.
    """
    if number == LAST_LAYER:
        return 'decode_head.conv_seg'
    return f'{"backbone" if number <= LAST_ENCODER_LAYER else "decode_head"}.layers.{number}'
