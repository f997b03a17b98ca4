"""Plot the share of confident pixels over the iterations, beside the sigmoid ramp-up (S2, figure 2.9).

    python tools/analysis_tools/confidence_curve.py work_dirs/a work_dirs/b --legend A B --out confidence.png

A run is a work dir (its newest run, together with the runs that it resumed) or its scalars.json, of a training with
mmssl.PseudoLabelHook. Out comes one chart: a dot for each logged batch, a line for the running mean over --window of
them, and dashed the ramp exp(-slope (1 - k / ramp-iterations)^2); and a table of the last values.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402, after the choice of the backend
from prettytable import PrettyTable  # noqa: E402

from mmssl.apis.confidence_curve import ConfidenceCurve, ramp, read_confidence  # noqa: E402
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors  # noqa: E402


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runs', nargs='+', metavar='WORK_DIR', help='work dirs or scalars.json')
    parser.add_argument('--legend', nargs='+', help='names of the runs (default: their folders)')
    parser.add_argument('--window', type=int, default=10, help='records in the running mean (default: %(default)s)')
    parser.add_argument('--ramp-iterations', type=int, default=10000, help='length of the ramp (default: %(default)s)')
    parser.add_argument('--slope', type=float, default=5.0, help='of the ramp (default: %(default)s)')
    parser.add_argument('--title', default='')
    parser.add_argument('--out', type=Path, default=Path('confidence.png'), help='chart (PNG, PDF, SVG)')
    args = parser.parse_args(argv)
    if args.legend and len(args.legend) != len(args.runs):
        parser.error(f'--legend: {len(args.legend)} names for {len(args.runs)} runs found')
    for option in ('window', 'ramp_iterations'):
        if getattr(args, option) < 1:
            parser.error(f'--{option.replace("_", "-")}: {getattr(args, option)} found, at least 1 expected')
    return args


def default_name(run: str) -> str:
    """Names a run by its work dir, also where the log inside was given."""
    path = Path(run).resolve()
    if path.is_file():
        path = path.parents[2] if path.parent.name == 'vis_data' else path.with_suffix('')
    return path.name


def chart_of(
    curves: Sequence[ConfidenceCurve], *, window: int, ramp_iterations: int, slope: float, title: str
) -> plt.Figure:
    """Draws dots and running means, a colour a run, and the ramp up to the last iteration of all."""
    figure, axis = plt.subplots(figsize=(8, 4.5), layout='constrained')
    for index, curve in enumerate(curves):
        colour = f'C{index % 10}'
        axis.plot(curve.iterations, curve.shares, '.', color=colour, markersize=4, alpha=0.35, markeredgewidth=0)
        axis.plot(curve.iterations, curve.running_mean(window), color=colour, linewidth=1.8, label=curve.name)
    last = max(int(curve.iterations[-1]) for curve in curves)
    label = f'sigmoid ramp-up, {ramp_iterations:,} iterations'
    axis.plot(*ramp(ramp_iterations, slope, last), color='0.3', linestyle='--', linewidth=1.4, label=label)
    axis.set(xlabel='iteration', ylabel='share of confident pixels', xlim=(0, last), ylim=(0, 1.02), title=title)
    axis.grid(alpha=0.3)
    axis.spines[['top', 'right']].set_visible(False)
    axis.legend(frameon=False)
    return figure


def table_of(curves: Sequence[ConfidenceCurve], window: int) -> str:
    """Lays out where each curve ends."""
    table = PrettyTable(['run', 'records', 'last iteration', 'last share / %', f'mean of the last {window} / %'])
    table.align = 'r'
    table.align['run'] = 'l'
    for curve in curves:
        last = (100 * curve.shares[-1], 100 * curve.running_mean(window)[-1])
        table.add_row([curve.name, len(curve.shares), curve.iterations[-1], *(f'{value:.1f}' for value in last)])
    return table.get_string()


def main(argv: list[str] | None = None) -> plt.Figure:
    """Reads, draws and prints; returns the figure."""
    args = parse_args(argv)
    names = args.legend or [default_name(run) for run in args.runs]
    curves = [read_confidence(run, name) for run, name in zip(args.runs, names, strict=True)]
    ramp_options = {'ramp_iterations': args.ramp_iterations, 'slope': args.slope}
    figure = chart_of(curves, window=args.window, title=args.title, **ramp_options)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, dpi=150)
    print(table_of(curves, args.window))
    print(f'chart written to {args.out}')
    return figure


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
