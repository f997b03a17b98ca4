"""Plot training curves of one or several runs.

    python tools/analysis_tools/plot_logs.py work_dirs/a work_dirs/b --keys loss mIoU --legend A B --out curves.png

A run is a work dir (its newest run, together with the runs that it resumed) or a file of scalars in JSON. Every key
gets a panel; training and validation share the axis of iterations.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402, after the choice of the backend
import numpy as np  # noqa: E402
from prettytable import PrettyTable  # noqa: E402

from mmssl.apis.log_reading import Curves, exponential_average, read_run, smooth  # noqa: E402
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors  # noqa: E402


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runs', nargs='+', help='work dirs or JSON logs')
    parser.add_argument('--keys', nargs='+', default=['loss'], help='what to plot, a panel each')
    parser.add_argument('--legend', nargs='+', help='names of the runs (default: their folders)')
    averages = parser.add_mutually_exclusive_group()
    averages.add_argument('--smooth', type=int, default=1, metavar='W', help='average training curves over W log lines')
    averages.add_argument('--ema', type=float, metavar='BETA', help='running mean of training curves, as 0.99')
    parser.add_argument('--title', default='')
    parser.add_argument('--out', type=Path, default=Path('curves.png'), help='picture (PNG, PDF, SVG)')
    args = parser.parse_args(argv)
    if args.legend and len(args.legend) != len(args.runs):
        parser.error(f'--legend: {len(args.legend)} names for {len(args.runs)} runs found')
    if args.smooth < 1:
        parser.error(f'--smooth: {args.smooth} found, at least 1 expected')
    if args.ema is not None and not 0 <= args.ema < 1:
        parser.error(f'--ema: {args.ema} found, at least 0 and below 1 expected')
    return args


def default_name(run: str) -> str:
    """Names a run by its work dir, also where the log inside was given."""
    path = Path(run).resolve()
    if path.is_file():
        path = path.parent.parent.parent if path.parent.name == 'vis_data' else path.with_suffix('')
    return path.name


def check_keys(keys: list[str], runs: dict[str, Curves]) -> None:
    """Raises ValueError where a key is in none of the runs, or in some of them only."""
    for key in keys:
        for run, curves in runs.items():
            if key not in curves.keys:
                raise ValueError(f'--keys {key}: not in {run}, which has: {", ".join(curves.keys)}')


def plot(runs: list[tuple[str, Curves]], keys: list[str], average: Callable | None, title: str) -> plt.Figure:
    """Draws one panel a key and one colour a run; behind an averaged curve the actual one stays visible."""
    figure, axes = plt.subplots(len(keys), 1, sharex=True, squeeze=False, figsize=(8, 1 + 3 * len(keys)))
    for axis, key in zip(axes[:, 0], keys, strict=True):
        for index, (name, curves) in enumerate(runs):
            colour = f'C{index % 10}'
            for kind, data, marker in (('train', curves.train, ''), ('val', curves.val, 'o')):
                if key not in data:
                    continue
                steps, values = zip(*data[key], strict=True)
                both = key in curves.train and key in curves.val
                label = f'{name} ({kind})' if both else name
                if kind == 'train' and average:
                    axis.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
                    values = average(values)
                axis.plot(steps, values, color=colour, marker=marker, markersize=4, label=label)
        axis.set_ylabel(key)
        axis.grid(alpha=0.3)
        axis.legend()
    axes[-1, 0].set_xlabel('iteration')
    figure.suptitle(title)
    figure.tight_layout()
    return figure


def last_values(runs: list[tuple[str, Curves]], keys: list[str]) -> str:
    """Lays out the last, the smallest and the largest value of each curve."""
    table = PrettyTable(['run', 'key', 'last', 'at', 'smallest', 'largest'])
    table.align = 'r'
    table.align['run'] = table.align['key'] = 'l'
    for name, curves in runs:
        for key in keys:
            for data in (curves.train, curves.val):
                if key in data:
                    steps, values = zip(*data[key], strict=True)
                    finite = [value for value in values if np.isfinite(value)] or [float('nan')]
                    numbers = (f'{number:.4g}' for number in (min(finite), max(finite)))
                    table.add_row([name, key, f'{values[-1]:.4g}', steps[-1], *numbers])
    return table.get_string()


def main(argv: list[str] | None = None) -> plt.Figure:
    """Reads, plots and prints the last values; returns the figure."""
    args = parse_args(argv)
    names = args.legend or [default_name(run) for run in args.runs]
    read = {run: read_run(run) for run in args.runs}
    check_keys(args.keys, read)
    runs = [(name, read[run]) for name, run in zip(names, args.runs, strict=True)]
    if args.ema is not None:
        average = partial(exponential_average, beta=args.ema)
    else:
        average = partial(smooth, window=args.smooth) if args.smooth > 1 else None
    figure = plot(runs, args.keys, average, args.title)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, dpi=150)
    print(last_values(runs, args.keys))
    print(f'curves written to {args.out}')
    return figure


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
