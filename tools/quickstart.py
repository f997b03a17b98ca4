"""Sums up a run of tools/quickstart.sh: the table of the classes, the time, and where things are.

Example:
    python tools/quickstart.py work_dirs/quickstart --checkpoint work_dirs/quickstart/iter_150.pth --seconds 250
"""

import argparse
import json
from pathlib import Path


def format_table(metrics: dict) -> str:
    """Writes the values of each class as a text table.

    Args:
        metrics: What tools/test.py writes to ``metrics.json``: ``per_class``, class to values in percent
            (None for a class that never occurred), and the means.

    Returns:
        One line for each class and one for the means, columns aligned.
    """
    per_class = metrics['per_class']
    columns = list(next(iter(per_class.values())))
    rows = [['class', *columns]]
    for name, values in per_class.items():
        rows.append([name, *('-' if values[key] is None else f'{values[key]:.1f}' for key in columns)])
    rows.append(['mean', *(f'{metrics[f"m{key}"]:.1f}' for key in columns)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        numbers = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append('  '.join([row[0].ljust(widths[0]), *numbers]))
    rule = '-' * len(lines[0])
    return '\n'.join([lines[0], rule, *lines[1:-1], rule, lines[-1]]) + '\n'


def main() -> None:
    """Prints the summary and saves the table as ``per_class.txt``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('work_dir', type=Path, help='folder of the run; test/metrics.json is read there')
    parser.add_argument('--checkpoint', required=True, help='checkpoint that was tested')
    parser.add_argument('--seconds', type=int, required=True, help='how long training, test and picture took')
    args = parser.parse_args()
    metrics = json.loads((args.work_dir / 'test' / 'metrics.json').read_text())
    table = args.work_dir / 'per_class.txt'
    table.write_text(format_table(metrics))
    print(f'\n{table.read_text()}')
    print(f'mIoU {metrics["mIoU"]:.1f} after {args.seconds // 60} min {args.seconds % 60} s (without the installation)')
    print(f'checkpoint  {args.checkpoint}')
    print(f'table       {table}')
    print(f'picture     {args.work_dir / "quickstart.png"}')


if __name__ == '__main__':
    main()
