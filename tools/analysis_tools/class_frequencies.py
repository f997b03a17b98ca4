"""How often each class occurs in one dataset, with the weights of equation 4.1, or in several side by side.

    python tools/analysis_tools/class_frequencies.py configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py
    python tools/analysis_tools/class_frequencies.py CONFIG=Cityscapes CONFIG=GTA5 CONFIG=SYNTHIA --chart classes.png

Out comes a table; of several datasets also a chart like figure 3.9 of S2: grouped bars on a logarithmic axis, no bar
where a class is not in a dataset or never occurs. Classes are matched by name, upper and lower case alike.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402, after the choice of the backend
import numpy as np  # noqa: E402
from matplotlib.ticker import FuncFormatter  # noqa: E402
from mmengine.config import DictAction  # noqa: E402
from mmengine.registry import DATASETS, init_default_scope  # noqa: E402
from prettytable import PrettyTable  # noqa: E402

from mmssl.apis.config import ConfigError, load_config  # noqa: E402
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors  # noqa: E402
from mmssl.datasets.class_frequencies import class_frequencies  # noqa: E402
from mmssl.models.losses.class_weights import enet_class_weights  # noqa: E402


@dataclass(frozen=True)
class Proportions:
    """Classes of one dataset.

    Attributes:
        label: what to call it.
        config: where it comes from.
        masks: how many were counted.
        classes: K names.
        frequencies: (K,) float64, shares of the labelled pixels, which sum to 1.
    """

    label: str
    config: str
    masks: int
    classes: tuple[str, ...]
    frequencies: np.ndarray


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'configs', nargs='+', metavar='CONFIG[=LABEL]', help='config file, or package::file for one of a host package'
    )
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train', help='which dataloader')
    parser.add_argument('--c', type=float, default=1.02, help='bound of equation 4.1 (default: %(default)s)')
    parser.add_argument('--chart', type=Path, help='chart (default: class_frequencies.png, of several datasets)')
    parser.add_argument('--json', type=Path, help='file for the numbers')
    parser.add_argument('--cache-dir', default='work_dirs/class_frequencies', help='where counts are kept')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override each config')
    args = parser.parse_args(argv)
    if len(args.configs) > 1 and args.chart is None:
        args.chart = Path('class_frequencies.png')
    return args


def split_label(text: str) -> tuple[str, str]:
    """Takes ``config=label`` apart; without a label the name of the config is one."""
    config, _, label = text.rpartition('=')
    if not config or Path(text).is_file():
        config, label = text, ''
    return config, label or Path(config.split('::')[-1]).stem


def measure(text: str, args: argparse.Namespace) -> Proportions:
    """Counts the dataset of one config; of a pair of datasets the side that has masks."""
    config, label = split_label(text)
    cfg = load_config(config, args.cfg_options)
    if not cfg.get(f'{args.split}_dataloader'):
        raise ConfigError(f'{config}: no key {f"{args.split}_dataloader"!r}')
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    dataset = DATASETS.build(cfg[f'{args.split}_dataloader'].dataset)
    dataset = getattr(dataset, 'labeled', dataset)
    frequencies = class_frequencies(dataset, args.cache_dir)
    return Proportions(label, config, len(dataset), tuple(dataset.metainfo['classes']), frequencies)


def join_classes(found: Sequence[Proportions]) -> tuple[list[str], np.ndarray]:
    """Brings datasets to one list of classes.

    Returns:
        The names, as spelled first, in the order in which they first occur; (datasets, classes) shares, NaN where a
        dataset does not have the class.

    Raises:
        ValueError: two classes of a dataset differ in upper and lower case alone.
    """
    names = {}
    for each in found:
        if len({name.casefold() for name in each.classes}) < len(each.classes):
            raise ValueError(
                f'{each.config}: two classes of one name, apart from upper and lower case, in {each.classes}'
            )
        for name in each.classes:
            names.setdefault(name.casefold(), name)
    shares = np.full((len(found), len(names)), np.nan)
    column = {key: index for index, key in enumerate(names)}
    for row, each in zip(shares, found, strict=True):
        row[[column[name.casefold()] for name in each.classes]] = each.frequencies
    return list(names.values()), shares


def weights_table(found: Proportions, c: float) -> str:
    """Lays out one dataset, rarest class last, with ENet class weights."""
    weights = enet_class_weights(found.frequencies, c)
    table = PrettyTable(['class', 'share of labelled pixels / %', 'weight'], align='r')
    for index in np.argsort(-found.frequencies):
        table.add_row([found.classes[index], f'{100 * found.frequencies[index]:.3f}', f'{weights[index]:.2f}'])
    return table.get_string()


def shares_table(found: Sequence[Proportions]) -> str:
    """Lays out several datasets beside each other, in percent of their labelled pixels."""
    names, shares = join_classes(found)
    table = PrettyTable()
    table.add_column('share of labelled pixels / %', names, align='l')
    for each, row in zip(found, shares, strict=True):
        table.add_column(each.label, ['-' if np.isnan(share) else f'{100 * share:.3f}' for share in row], align='r')
    return table.get_string()


def chart_of(found: Sequence[Proportions]) -> plt.Figure:
    """Draws grouped bars, a group a class, on a logarithmic axis."""
    names, shares = join_classes(found)
    figure, axis = plt.subplots(figsize=(max(6, 0.55 * len(names) + 1.5), 4.2), layout='constrained')
    width = 0.8 / len(found)
    lowest = np.nanmin(np.where(shares > 0, shares, np.nan))
    floor = 10 ** np.floor(np.log10(100 * lowest) - 0.1)  # below the smallest bar, so that it can be seen
    for index, (each, row) in enumerate(zip(found, shares, strict=True)):
        left = np.arange(len(names)) + (index - (len(found) - 1) / 2) * width
        axis.bar(left, np.where(row > 0, 100 * row, np.nan), width, label=each.label, color=f'C{index % 10}')
    axis.set_yscale('log')
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axis.set(ylabel='share of labelled pixels / %', ylim=(floor, 100), xlim=(-0.6, len(names) - 0.4))
    axis.set_xticks(range(len(names)), names, rotation=45, ha='right', rotation_mode='anchor')
    axis.grid(axis='y', alpha=0.3)
    axis.set_axisbelow(True)
    axis.spines[['top', 'right']].set_visible(False)
    axis.legend(frameon=False, ncols=len(found), loc='lower center', bbox_to_anchor=(0.5, 1))
    return figure


def numbers_of(found: Sequence[Proportions], split: str) -> dict:
    """What the JSON file holds."""
    rows = [
        {
            'label': each.label,
            'config': each.config,
            'masks': each.masks,
            'frequencies': dict(zip(each.classes, each.frequencies.tolist(), strict=True)),
        }
        for each in found
    ]
    return {'split': split, 'datasets': rows}


def main(argv: list[str] | None = None) -> list[Proportions]:
    """Counts, prints, draws and writes; returns what was counted."""
    args = parse_args(argv)
    with one_line_errors(*BUILD_ERRORS):
        found = [measure(text, args) for text in args.configs]
        for each in found:
            label = f'{each.label}, ' if len(found) > 1 else ''
            print(f'{label}{args.split}: {each.masks} masks')
        print(weights_table(found[0], args.c) if len(found) == 1 else shares_table(found))
        if args.chart:
            args.chart.parent.mkdir(parents=True, exist_ok=True)
            figure = chart_of(found)
            figure.savefig(args.chart, dpi=150)
            plt.close(figure)
            print(f'chart written to {args.chart}')
        if args.json:
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps(numbers_of(found, args.split), indent=2))
            print(f'numbers written to {args.json}')
    return found


if __name__ == '__main__':
    main()
