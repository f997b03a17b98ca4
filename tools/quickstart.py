"""Sums up what tools/quickstart.sh trained and tested: tables, picture, times, and where things are.

Examples:
    python tools/quickstart.py comparison work_dirs/quickstart --start 1700000000 --seconds train_classmix=200 \
        --supervised CONFIG CHECKPOINT --classmix CONFIG CHECKPOINT
    python tools/quickstart.py table work_dirs/quickstart --start 1700000000 --checkpoint CHECKPOINT
"""

import argparse
import json
import math
import time
from pathlib import Path

import cv2
from mmengine.device import get_device
from mmengine.registry import DATASETS, init_default_scope

from mmssl.apis.class_scores import read_class_scores
from mmssl.apis.config import load_config
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.prediction_comparison import compare_predictions
from mmssl.visualization.comparison_picture import comparison_picture

ROWS = 4  # images of the picture
RUNS = {'supervised': 'supervised', 'classmix': 'ClassMix'}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line; ``seconds`` becomes a dict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    table = commands.add_parser('table', help='of one network; test/metrics.json is read, per_class.txt is written')
    table.add_argument('--checkpoint', required=True, help='what was tested')
    both = commands.add_parser(
        'comparison', help='of two; supervised/test/ and classmix/test/ are read, comparison.* and the picture written'
    )
    for name in RUNS:
        both.add_argument(f'--{name}', nargs=2, required=True, metavar=('CONFIG', 'CHECKPOINT'), help='as trained')
    both.add_argument('--seconds', nargs='+', default=[], metavar='PART=N', help='how long each part took')
    for command in (table, both):
        command.add_argument('work_dir', type=Path, help='folder of the results')
        command.add_argument('--start', type=int, required=True, help='when it began, seconds since 1970')
    args = parser.parse_args(argv)
    if args.command == 'comparison':
        pairs = [part.split('=') for part in args.seconds]
        if not all(len(pair) == 2 and pair[1].isdecimal() for pair in pairs):
            both.error(f'--seconds: {" ".join(args.seconds)} found, PART=N with whole numbers expected')
        args.seconds = {name: int(number) for name, number in pairs}
    return args


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
    return _align([*rows, ['mean', *(f'{metrics[f"m{key}"]:.1f}' for key in columns)]])


def format_comparison(runs: dict[str, dict], difference: dict) -> str:
    """Writes the IoU of each class of two networks and the difference as a text table.

    Args:
        runs: Name of a network to its ``per_class``, class to IoU in percent (None for a class that never occurred),
            and ``mIoU``.
        difference: The same of the difference.

    Returns:
        One line for each class and one for the means, columns aligned.
    """
    rows = [['class', *runs, 'difference']]
    for name in difference['per_class']:
        values = [run['per_class'][name] for run in runs.values()]
        rows.append([name, *map(_number, values), _number(difference['per_class'][name], '+')])
    return _align([*rows, ['mean', *(_number(run['mIoU']) for run in runs.values()), _number(difference['mIoU'], '+')]])


def _number(value: float | None, sign: str = '') -> str:
    # Adding zero makes a rounded -0.0 a plain zero.
    return '-' if value is None else f'{round(value, 1) + 0.0:{sign}.1f}'


def _align(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        numbers = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append('  '.join([row[0].ljust(widths[0]), *numbers]))
    rule = '-' * len(lines[0])
    return '\n'.join([lines[0], rule, *lines[1:-1], rule, lines[-1]]) + '\n'


def subtract(run: dict, baseline: dict) -> dict:
    """Differences of mIoU and of the IoU of each class; None where one of the two has none.

    Raises:
        ValueError: The two have different classes.
    """
    one, other = run['per_class'], baseline['per_class']
    if list(one) != list(other):
        raise ValueError(f'classes of ClassMix {list(one)}, expected those of the supervised run {list(other)}')
    known = {name: None not in (one[name], other[name]) for name in one}
    per_class = {name: round(one[name] - other[name], 2) if known[name] else None for name in one}
    return {'mIoU': round(run['mIoU'] - baseline['mIoU'], 2), 'per_class': per_class}


def describe_run(config: str, checkpoint: str) -> dict:
    """What was trained, on how many images, and what the test in the folder of the run found."""
    cfg = load_config(config)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    data = DATASETS.build(cfg.train_dataloader.dataset)
    tested = Path(config).parent / 'test' / 'metrics.json'
    # The float32 of the metric, in the two decimals that it has.
    per_class = {
        name: None if math.isnan(value) else round(value, 2) for name, value in read_class_scores(tested).items()
    }
    return {
        'config': Path(config).name,
        'checkpoint': checkpoint,
        'seed': cfg.get('randomness', {}).get('seed'),
        'labeled_images': len(getattr(data, 'labeled', data)),
        'unlabeled_images': len(getattr(data, 'unlabeled', ())),
        'mIoU': round(json.loads(tested.read_text())['mIoU'], 2),
        'per_class': per_class,
    }


def format_time(seconds: int) -> str:
    """Minutes and seconds."""
    return f'{seconds // 60} min {seconds % 60} s'


def _sources(run: dict) -> str:
    rest = f' + {run["unlabeled_images"]} unlabelled' if run['unlabeled_images'] else ''
    return f'{run["labeled_images"]} masks{rest}'


def compare(args: argparse.Namespace) -> None:
    """Writes table, numbers and picture of two networks, and prints the table."""
    given = [getattr(args, name) for name in RUNS]
    runs = {name: describe_run(*run) for name, run in zip(RUNS, given, strict=True)}
    difference = subtract(runs['classmix'], runs['supervised'])
    table, numbers, picture = (args.work_dir / name for name in ('comparison.txt', 'comparison.json', 'quickstart.png'))
    table.write_text(format_comparison({RUNS[name]: run for name, run in runs.items()}, difference))

    drawn = compare_predictions(given, ROWS, get_device())
    columns = [('truth', '', drawn.truths)]
    for run, title, predictions in zip(runs.values(), RUNS.values(), drawn.predictions, strict=True):
        columns.append((title, f'mIoU {run["mIoU"]:.1f}, {_sources(run)}', predictions))
    sheet = comparison_picture(drawn.images, columns, classes=drawn.classes, palette=drawn.palette)
    if not cv2.imwrite(str(picture), sheet[..., ::-1]):
        raise OSError(f'{picture}: the picture cannot be written')

    total = round(time.time()) - args.start
    seconds = {**args.seconds, 'comparison': total - sum(args.seconds.values()), 'total': total}
    content = {'runs': runs, 'difference': difference, 'seconds': seconds}
    numbers.write_text(json.dumps(content, indent=2, allow_nan=False) + '\n')
    print(f'\n{table.read_text()}')
    lines = [(f'{RUNS[name]} from', _sources(run)) for name, run in runs.items()]
    lines += [(name.replace('_', ' '), format_time(span)) for name, span in seconds.items()]
    lines[-1] = (lines[-1][0], f'{lines[-1][1]} (without the installation)')
    lines += [('table', table), ('numbers', numbers), ('picture', picture)]
    lines += [(f'{RUNS[name]} in', run['checkpoint']) for name, run in runs.items()]
    print('\n'.join(f'{name:18}{value}' for name, value in lines))


def summarise(args: argparse.Namespace) -> None:
    """Writes and prints the table of one network."""
    metrics = json.loads((args.work_dir / 'test' / 'metrics.json').read_text())
    table = args.work_dir / 'per_class.txt'
    table.write_text(format_table(metrics))
    seconds = round(time.time()) - args.start
    print(f'\n{table.read_text()}')
    print(f'mIoU {metrics["mIoU"]:.1f} after {format_time(seconds)} (without the installation)')
    print(f'checkpoint  {args.checkpoint}')
    print(f'table       {table}')
    print(f'picture     {args.work_dir / "quickstart.png"}')


def main(argv: list[str] | None = None) -> None:
    """Runs the command."""
    args = parse_args(argv)
    {'comparison': compare, 'table': summarise}[args.command](args)


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
