"""Compare the IoU or AP of each class between runs, as a table and as a grouped bar chart.

    python tools/analysis_tools/compare_classes.py work_dirs/a work_dirs/b --names baseline ours --out iou.png
    python tools/analysis_tools/compare_classes.py work_dirs/a work_dirs/b --metric AP --out ap.png

A run is a metrics.json that tools/test.py wrote, or a work dir that holds it. Runs that are given one name are seeds
of one experiment: bars are their means, error bars the sample standard deviation. Differences are to the first.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402, after the choice of the backend
import numpy as np  # noqa: E402
from prettytable import PrettyTable  # noqa: E402

from mmssl.apis.class_scores import ClassScores, group_runs  # noqa: E402
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors  # noqa: E402


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runs', nargs='+', metavar='RUN', help='metrics.json or work dir')
    parser.add_argument('--names', nargs='+', help='one per run; equal names are seeds (default: the folders)')
    parser.add_argument('--metric', choices=['IoU', 'AP'], default='IoU', help='AP: of mmdet, with classwise=True')
    parser.add_argument('--title', default='')
    parser.add_argument('--out', type=Path, help='chart: PNG, PDF, SVG (default: class_<metric>.png)')
    args = parser.parse_args(argv)
    if args.names and len(args.names) != len(args.runs):
        parser.error(f'--names: {len(args.names)} names for {len(args.runs)} runs found')
    args.out = args.out or Path(f'class_{args.metric.lower()}.png')
    return args


def default_names(runs: list[str]) -> list[str]:
    """Names runs by their folders, with as many parents as it takes to tell them apart."""
    folders = [Path(run).resolve() for run in runs]
    parts = [(path.parent if path.suffix == '.json' else path).parts for path in folders]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ['/'.join(part[-depth:]) for part in parts]
        if len(set(names)) == len(set(folders)):
            break
    return names


def table_of(experiments: list[ClassScores], metric: str) -> str:
    """Lays out the scores in percent, deviation where there are seeds, and the difference to the first experiment."""
    first = experiments[0]
    columns = [[*first.classes, f'm{metric}']]
    base = np.append(first.mean, first.overall[0])
    for experiment in experiments:
        means = np.append(experiment.mean, experiment.overall[0])
        deviations = np.append(experiment.deviation, experiment.overall[1])
        columns.append([_number(mean, deviation) for mean, deviation in zip(means, deviations, strict=True)])
        if experiment is not first:
            columns.append(['-' if np.isnan(value) else f'{value:+.2f}' for value in means - base])
    table = PrettyTable()
    headers = ['class', first.name]
    for experiment in experiments[1:]:
        headers += [experiment.name, f'{experiment.name} - {first.name}']
    for header, column in zip(headers, columns, strict=True):
        table.add_column(header, column, align='l' if header == 'class' else 'r')
    return table.get_string()


def _number(mean: float, deviation: float) -> str:
    if np.isnan(mean):
        return '-'
    return f'{mean:.2f}' if np.isnan(deviation) else f'{mean:.2f} ± {deviation:.2f}'


def chart_of(experiments: list[ClassScores], metric: str, title: str) -> plt.Figure:
    """Draws one group of bars a class that any experiment has, one bar an experiment."""
    shown = np.any([np.isfinite(experiment.mean) for experiment in experiments], axis=0)
    classes = [name for name, there in zip(experiments[0].classes, shown, strict=True) if there]
    figure, axis = plt.subplots(figsize=(max(6, 0.35 * len(classes) * (len(experiments) + 1)), 4.5))
    width = 0.8 / len(experiments)
    positions = np.arange(len(classes))
    for index, experiment in enumerate(experiments):
        errors = np.nan_to_num(experiment.deviation[shown])
        axis.bar(
            positions + (index - (len(experiments) - 1) / 2) * width,
            np.nan_to_num(experiment.mean[shown]),
            width,
            yerr=errors if errors.any() else None,
            capsize=2,
            label=f'{experiment.name} (m{metric} {experiment.overall[0]:.2f})',
        )
    axis.set_xticks(positions, classes, rotation=45, ha='right')
    axis.set_ylabel(f'{metric} in %')
    axis.set_ylim(0, 100 if metric == 'IoU' else None)  # AP can be small everywhere
    axis.grid(axis='y', alpha=0.3)
    axis.set_axisbelow(True)
    axis.legend(loc='upper center', bbox_to_anchor=(0.5, 1.15), ncols=min(3, len(experiments)), frameon=False)
    figure.suptitle(title)
    figure.tight_layout()
    return figure


def main(argv: list[str] | None = None) -> list[ClassScores]:
    """Reads, prints and draws; returns the experiments."""
    args = parse_args(argv)
    experiments = group_runs(args.names or default_names(args.runs), args.runs, args.metric)
    print(table_of(experiments, args.metric))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    chart_of(experiments, args.metric, args.title).savefig(args.out, dpi=150)
    print(f'chart written to {args.out}')
    return experiments


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
