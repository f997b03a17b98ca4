"""Plot what each layer of switchable normalisation mixes (S4, section 2.4.1).

    python tools/analysis_tools/plot_norm_mixture.py work_dirs/a/iter_1500.pth --out mixture.png

A checkpoint is a file or a work dir, of a model with norm_cfg=dict(type='mmssl.SwitchNorm2d'). Out comes a chart with a
stacked bar a layer, from the first layer of the network to the last: shares of instance, layer and batch statistics, of
the means above and of the variances below; and a table of the same, with the mean over each third of the layers.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402, after the choice of the backend
import numpy as np  # noqa: E402
from prettytable import PrettyTable  # noqa: E402

from mmssl.apis.norm_mixture import STATISTICS, LayerMixture, read_norm_mixtures, thirds  # noqa: E402
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors  # noqa: E402

# Told apart also in grey and without red and green.
COLOURS = ('#e69f00', '#56b4e9', '#1b4f72')
# Names of more layers than this would cover each other.
NAMED_LAYERS = 60


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='checkpoint file or work dir')
    parser.add_argument('--title', default='')
    parser.add_argument('--out', type=Path, default=Path('mixture.png'), help='chart (PNG, PDF, SVG)')
    return parser.parse_args(argv)


def chart_of(layers: Sequence[LayerMixture], title: str) -> plt.Figure:
    """Draws the means above and the variances below, a stacked bar a layer."""
    width = min(max(6.0, 2 + 0.22 * len(layers)), 30.0)
    figure, axes = plt.subplots(2, 1, sharex=True, figsize=(width, 6), layout='constrained')
    for axis, kind in zip(axes, ('means', 'variances'), strict=True):
        shares = np.array([getattr(layer, kind) for layer in layers])
        bottoms = np.cumsum(shares, axis=1) - shares
        for index, (statistic, colour) in enumerate(zip(STATISTICS, COLOURS, strict=True)):
            axis.bar(range(len(layers)), shares[:, index], 0.9, bottom=bottoms[:, index], color=colour, label=statistic)
        axis.set(ylabel=f'share of the {kind}', ylim=(0, 1), xlim=(-0.6, len(layers) - 0.4))
        axis.spines[['top', 'right']].set_visible(False)
    axes[0].legend(ncols=3, loc='lower center', bbox_to_anchor=(0.5, 1.0), frameon=False)
    if len(layers) <= NAMED_LAYERS:
        axes[1].set_xticks(range(len(layers)), [layer.name for layer in layers], rotation=90, fontsize=6)
    else:
        axes[1].set_xlabel('layer, in the order of the network')
    figure.suptitle(title)
    return figure


def table_of(layers: Sequence[LayerMixture]) -> str:
    """Lays out the shares in percent; below, those of each third of the layers."""
    kinds = [f'{kind} {statistic}' for kind in ('mean', 'var') for statistic in STATISTICS]
    table = PrettyTable(['layer', *kinds])
    table.title = 'shares in %'
    table.align = 'r'
    table.align['layer'] = 'l'
    for rows in (layers, thirds(layers)):
        for index, row in enumerate(rows, start=1):
            shares = [f'{100 * share:.1f}' for share in (*row.means, *row.variances)]
            table.add_row([row.name, *shares], divider=index == len(rows))
    return table.get_string()


def main(argv: Sequence[str] | None = None) -> plt.Figure:
    """Reads, draws and prints; returns the figure."""
    args = parse_args(argv)
    layers = read_norm_mixtures(args.checkpoint)
    figure = chart_of(layers, args.title)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, dpi=150)
    print(table_of(layers))
    print(f'chart written to {args.out}')
    return figure


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
