"""Tables of plain text, for terminals and log files alike."""

from collections.abc import Collection, Sequence


def text_table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = ()) -> list[str]:
    """Lay out rows in columns of equal width.

    Args:
        headers: of the columns.
        rows: one text a column.
        right: headers of the columns that are flush right, as numbers are.

    Returns:
        One line a row, the headers and a rule first.
    """
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    rule = tuple('-' * width for width in widths)
    return [
        '  '.join(
            cell.rjust(width) if header in right else cell.ljust(width)
            for header, cell, width in zip(headers, row, widths, strict=True)
        ).rstrip()
        for row in (headers, rule, *rows)
    ]
