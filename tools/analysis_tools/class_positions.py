"""Show where in the image each class of a dataset occurs (S2, figures 5.1 to 5.4).

    python tools/analysis_tools/class_positions.py configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py --out positions

Out come DIR/class_positions.png, a small map a class, dark where it is frequent, with its share of all pixels and the
share of the images that black stands for; and DIR/class_positions.npz: "positions", (K, height, width) float32, the
share of the images that show the class at each place, and "classes", the names. Masks are taken as they are loaded,
before any augmentation; images of other proportions are stretched.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402, after the choice of the backend
import numpy as np  # noqa: E402
from mmengine.config import DictAction  # noqa: E402
from mmengine.registry import DATASETS, init_default_scope  # noqa: E402

from mmssl.apis.class_positions import class_positions  # noqa: E402
from mmssl.apis.config import ConfigError, load_config  # noqa: E402
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors  # noqa: E402


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or package::file for one of a host package')
    parser.add_argument(
        '--out', type=Path, default=Path('class_positions'), metavar='DIR', help='folder of the results'
    )
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train', help='which dataloader')
    parser.add_argument('--size', nargs=2, type=int, default=(128, 256), metavar=('H', 'W'), help='of a map, in cells')
    parser.add_argument(
        '--scale',
        choices=['class', 'common'],
        default='class',
        help='black is the largest value of each class, or of all classes (default: %(default)s)',
    )
    parser.add_argument('--title', default='')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    args = parser.parse_args(argv)
    if min(args.size) < 1:
        parser.error(f'--size: {args.size[0]} {args.size[1]} found, numbers of at least 1 expected')
    return args


def build_dataset(cfg, config: str, split: str):
    """Builds the dataset of a split; of a pair of datasets the side that has masks."""
    if not cfg.get(f'{split}_dataloader'):
        raise ConfigError(f'{config}: no key {f"{split}_dataloader"!r}')
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    dataset = DATASETS.build(cfg[f'{split}_dataloader'].dataset)
    return getattr(dataset, 'labeled', dataset)


def chart_of(positions: np.ndarray, classes: Sequence[str], scale: str, title: str) -> plt.Figure:
    """Draws small multiples, one a class in the order of the ids.

    Args:
        positions: (K, height, width), 0 to 1.
        classes: K names.
        scale: 'class' or 'common', what black is.
        title: above all, none if empty.

    Returns:
        The figure; a class that never occurs has an empty field that says so.
    """
    count, height, width = positions.shape
    columns = min(4, count)
    rows = -(-count // columns)
    field = (2.8, 2.8 * height / width + 0.25)  # inches, with the caption
    size = (columns * field[0], rows * field[1] + (0.4 if title else 0.1))
    figure, axes = plt.subplots(rows, columns, squeeze=False, figsize=size, layout='constrained')
    for axis in axes.flat[count:]:
        axis.axis('off')
    for axis, name, values in zip(axes.flat, classes, positions, strict=False):
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_color('0.7')
        if values.any():
            top = positions.max() if scale == 'common' else values.max()
            axis.imshow(values, cmap='Greys', vmin=0, vmax=top, interpolation='nearest')
            caption = f'{name}: {100 * values.mean():.3g} %, black {100 * top:.3g} %'
        else:
            axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect='equal')
            axis.text(0.5, 0.5, 'does not occur', transform=axis.transAxes, ha='center', va='center', color='0.5')
            caption = name
        axis.set_title(caption, fontsize=9, pad=3)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def main(argv: list[str] | None = None) -> np.ndarray:
    """Counts, draws and writes; returns the maps."""
    args = parse_args(argv)
    dataset = build_dataset(load_config(args.config, args.cfg_options), args.config, args.split)
    classes = list(dataset.metainfo['classes'])
    positions = class_positions(dataset, tuple(args.size))
    args.out.mkdir(parents=True, exist_ok=True)
    figure = chart_of(positions, classes, args.scale, args.title)
    figure.savefig(args.out / 'class_positions.png', dpi=130)
    plt.close(figure)
    np.savez_compressed(args.out / 'class_positions.npz', positions=positions.astype(np.float32), classes=classes)
    print(f'{args.split}: {len(dataset)} masks')
    absent = [name for name, values in zip(classes, positions, strict=True) if not values.any()]
    if absent:
        print(f'never found: {", ".join(absent)}')
    print(f'{args.out / "class_positions.png"} and {args.out / "class_positions.npz"} written')
    return positions


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
