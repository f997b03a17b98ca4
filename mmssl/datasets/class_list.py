"""Class names and colours from a text file."""

from pathlib import Path

from mmssl.errors import DataError


def read_class_list(path: str | Path) -> dict[str, list]:
    """Read one class a line: ``name`` or ``name r g b``; the first line is id 0. Empty lines are skipped.

    Args:
        path (str | Path): The text file, UTF-8.

    Returns:
        dict[str, list]: ``classes``, the names (str), and ``palette``, an RGB colour in 0..255 for each; no
        ``palette`` where the file has no colours.

    Raises:
        DataError: The file holds no class, a name twice, a colour outside 0..255, or colours for some classes only.
    """
    try:
        lines = Path(path).read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError:
        raise DataError(f'{path}: not a text file; expected one class a line') from None
    classes, palette = [], []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        colour = [int(word) for word in words[-3:]] if len(words) > 3 and ''.join(words[-3:]).isdecimal() else []
        if colour and max(colour) > 255:
            raise DataError(f'{path}: line {number} has the colour {colour}; expected values in 0..255')
        name = ' '.join(words[:-3] if colour else words)
        if name in classes:
            raise DataError(f'{path}: the class {name} stands twice, the second time on line {number}')
        classes.append(name)
        palette.append(colour)
    if not classes:
        raise DataError(f'{path}: the class list is empty; expected one class a line')
    with_colour = sum(map(bool, palette))
    if with_colour not in (0, len(classes)):
        raise DataError(f'{path}: {with_colour} of {len(classes)} classes have a colour; expected all or none')
    return {'classes': classes, 'palette': palette} if with_colour else {'classes': classes}
