"""Show what the network sees: images and masks after the whole pipeline and the data preprocessor.

    python tools/visualizations/browse_dataset.py CONFIG --split train --number 16 --out browse

Each batch is drawn on one sheet: the input of the network with normalisation undone, the same with the classes
blended over it, and a legend. Ignored pixels are striped, ids outside the classes magenta. Printed: the share of
pixels of each class in what was browsed. Of a PairedDataset the labelled images stand left, the unlabelled ones they
are paired with right, what padding or turning filled in striped where the pipeline marks it; classes of unlabelled
images are drawn where the pipeline keeps masks, and not counted. Of joint training the segmentation's images are drawn.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config, DictAction
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner, set_random_seed
from prettytable import PrettyTable
from tqdm import tqdm

from mmssl.apis.config import ConfigError, load_config
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.single_task import single_task_config
from mmssl.datasets.multi_task import SEGMENTATION
from mmssl.visualization.contact_sheet import LINE, contact_sheet, legend
from mmssl.visualization.mask_picture import INVALID_COLOUR, count_ids, distinct_palette, fit_mask, overlay_mask
from mmssl.visualization.preprocessed_images import is_rgb, to_pictures


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or package::file for one of a host package')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train')
    parser.add_argument('--number', type=int, default=16, metavar='N', help='images (or pairs) to show')
    parser.add_argument('--out', type=Path, default=Path('browse'), metavar='DIR', help='folder for the pictures')
    parser.add_argument('--batch', type=int, metavar='B', help="images per batch and sheet (default: the loader's)")
    parser.add_argument('--single', action='store_true', help='also write each image and overlay to a file of its own')
    parser.add_argument('--alpha', type=float, default=0.6, help='share of the class colour in the overlay')
    parser.add_argument('--seed', type=int, default=0, help='of the order and of the augmentations')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    args = parser.parse_args(argv)
    for name in ('number', 'batch'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name}: {value} found, a number above 0 expected')
    if not 0 <= args.alpha <= 1:
        parser.error(f'--alpha: {args.alpha} found, 0 to 1 expected')
    return args


def build_parts(cfg: Config, args: argparse.Namespace) -> tuple:
    """Builds the loader of the split and the data preprocessor of the model.

    Returns:
        The loader (in this process, in the order of its sampler), the preprocessor, and whether the latter leaves RGB.
    """
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    key = f'{args.split}_dataloader'
    if not cfg.get(key):
        raise ConfigError(f'{args.config}: no key {key!r}, nothing to browse')
    model = cfg.get('model', {})
    settings = model.get('data_preprocessor') or segmentor(cfg).get('data_preprocessor') or cfg.get('data_preprocessor')
    if not settings:
        raise ConfigError(f"{args.config}: no key 'data_preprocessor' in the model, the network's input is unknown")
    loader = {name: value for name, value in cfg[key].items() if name not in ('prefetch_factor', 'timeout')}
    loader.update(num_workers=0, persistent_workers=False)
    if args.batch:
        loader['batch_size'] = args.batch
    set_random_seed(args.seed)
    return Runner.build_dataloader(loader, seed=args.seed), MODELS.build(settings), is_rgb(settings)


def segmentor(cfg: Config) -> dict:
    """Finds the config of the segmentor inside a semi-supervised one."""
    model = cfg.get('model', {})
    return model.get('segmentor', model)


def ignored_id(cfg: Config) -> int:
    """Finds the id that the loss ignores; that of a dataset may differ, where it is replaced while loading."""
    heads = segmentor(cfg).get('decode_head', {})
    head = heads[-1] if isinstance(heads, (list, tuple)) else heads
    return head.get('ignore_index', 255)


def innermost(dataset) -> object:
    """Finds the dataset inside wrappers that repeat, slice or join datasets."""
    while True:
        inner = getattr(dataset, 'dataset', None) or next(iter(getattr(dataset, 'datasets', [])), None)
        if inner is None:
            return dataset
        dataset = inner


def caption(sample) -> str:
    """Names the file and what happened to it."""
    path = sample.get('img_path')
    words = [Path(path).name if path else 'no file']
    if sample.get('ori_shape') and sample.get('img_shape'):
        words.append('{}x{} -> {}x{}'.format(*sample.ori_shape[:2], *sample.img_shape[:2]))
    if sample.get('flip'):
        words.append(f'flipped {sample.get("flip_direction", "")}'.strip())
    return ', '.join(words)


def split_sides(batch: dict, count: int) -> dict[str, dict]:
    """Splits a batch into its sides and cuts them short.

    Args:
        batch: ``inputs`` and ``data_samples``: lists, or of a paired dataset dicts of lists.
        count: most samples of a side.

    Returns:
        ``labelled`` and ``unlabelled``, each like a plain batch; or the batch itself under the empty name.
    """
    sides = {'': batch}
    if isinstance(batch['inputs'], dict):
        names = {'labelled': 'labeled', 'unlabelled': 'unlabeled'}
        sides = {name: {key: value[branch] for key, value in batch.items()} for name, branch in names.items()}
    return {name: {key: value[:count] for key, value in side.items()} for name, side in sides.items()}


def draw_side(batch: dict, preprocessor, rgb: bool, args: argparse.Namespace, classes: dict) -> tuple:
    """Draws one side of a batch.

    Args:
        batch: ``inputs`` and ``data_samples``, lists.
        preprocessor: the data preprocessor.
        rgb: channel order behind it.
        args: the command line.
        classes: ``names``, ``ignore_index`` and ``drawing``, the arguments of ``overlay_mask``.

    Returns:
        Groups of RGB pictures (image, overlay), captions, and pixel counts (see ``count_ids``).
    """
    data = preprocessor(batch, training=args.split == 'train')
    groups, captions = [], []
    counts = np.zeros(len(classes['names']) + 2, dtype=np.int64)
    images = to_pictures(data['inputs'], preprocessor, rgb=rgb)
    for image, sample in zip(images, data['data_samples'], strict=True):
        captions.append(caption(sample))
        if 'valid_region' in sample:
            image = stripe_outside(image, sample.valid_region.data[0].cpu().numpy())
        if 'gt_sem_seg' not in sample:
            groups.append([image])
            continue
        mask = sample.gt_sem_seg.data.squeeze(0).cpu().numpy()
        counts += count_ids(mask, len(classes['names']), classes['ignore_index'])
        if image.shape[:2] != mask.shape:
            # In testing the mask keeps the size of its file, while the image is resized and padded.
            padding = sample.get('img_padding_size', sample.get('padding_size', (0, 0, 0, 0)))
            mask = fit_mask(mask, image.shape[:2], padding, classes['ignore_index'])
        groups.append([image, overlay_mask(image, mask, alpha=args.alpha, **classes['drawing'])])
    return groups, captions, counts


def stripe_outside(image: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Draws stripes over an image (H, W, 3) outside of its valid region (h, w), which padding has made smaller."""
    height, width = (whole - part for whole, part in zip(image.shape[:2], region.shape, strict=True))
    inside = np.pad(region, ((0, height), (0, width)))
    outside = overlay_mask(image, np.full(image.shape[:2], 255), [], ignore_index=255)
    return np.where(inside[..., None], image, outside)


def draw_batch(sides: dict[str, dict], *arguments) -> tuple:
    """Draws a batch, the sides of a pair after each other.

    Args:
        sides: of ``split_sides``.
        *arguments: the others of ``draw_side``.

    Returns:
        As ``draw_side``; the counts are those of the first side, the labelled one.
    """
    drawn = {name: draw_side(side, *arguments) for name, side in sides.items()}
    groups = [group for pair in zip(*(groups for groups, _, _ in drawn.values()), strict=True) for group in pair]
    told = [[f'{name}: {line}' if name else line for line in lines] for name, (_, lines, _) in drawn.items()]
    captions = [line for pair in zip(*told, strict=True) for line in pair]
    return groups, captions, next(iter(drawn.values()))[2]


def make_legend(classes: dict, width: int) -> np.ndarray:
    """Draws the legend: classes, ignored pixels, ids that are no class."""
    grey = np.full((LINE, LINE, 3), 128, dtype=np.uint8)
    swatches = [np.full((LINE, LINE, 3), colour, dtype=np.uint8) for colour in classes['drawing']['palette']]
    swatches.append(overlay_mask(grey, np.full((LINE, LINE), classes['ignore_index']), **classes['drawing']))
    swatches.append(np.full((LINE, LINE, 3), INVALID_COLOUR, dtype=np.uint8))
    return legend(list(zip([*classes['names'], 'ignored', 'no class'], swatches, strict=True)), width)


def save(path: Path, picture: np.ndarray) -> None:
    """Writes an RGB picture; raises OSError where that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture[..., ::-1]):
        raise OSError(f'{path}: cannot be written')


def share_table(names: list[str], counts: np.ndarray) -> str:
    """Lays out the share of pixels of each class, of the ignored pixels and of ids that are no class."""
    table = PrettyTable(['class', 'pixels', 'share %'])
    table.align = 'r'
    table.align['class'] = 'l'
    for name, count in zip([*names, 'ignored', 'no class'], counts, strict=True):
        table.add_row([name, int(count), f'{100 * count / max(counts.sum(), 1):.2f}'])
    return table.get_string()


def main(argv: list[str] | None = None) -> np.ndarray:
    """Browses; returns the pixel counts."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    tasks = list(cfg.get('model', {}).get('tasks', ()))
    if tasks:
        cfg = single_task_config(cfg, SEGMENTATION, args.config)
        print(f'of joint training the images of the segmentation; browse_pretext.py --task shows {", ".join(tasks)}')
    loader, preprocessor, rgb = build_parts(cfg, args)
    dataset = innermost(loader.dataset)
    names = list(dataset.metainfo['classes'])
    palette = dataset.metainfo.get('palette') or distinct_palette(len(names))
    ignore_index = ignored_id(cfg)
    drawing = {'palette': palette, 'ignore_index': ignore_index}
    classes = {'names': names, 'ignore_index': ignore_index, 'drawing': drawing}
    counts = np.zeros(len(names) + 2, dtype=np.int64)
    shown, batches = 0, iter(loader)
    with tqdm(total=args.number, desc=args.split, unit='image') as bar:
        while shown < args.number and (batch := next(batches, None)) is not None:
            sides = split_sides(batch, args.number - shown)
            groups, captions, pixels = draw_batch(sides, preprocessor, rgb, args, classes)
            counts += pixels
            sheet = contact_sheet(groups, captions)
            path = args.out / f'{args.split}_sheet_{shown:05d}.png'
            save(path, np.vstack([sheet, make_legend(classes, sheet.shape[1])]))
            for index, group in enumerate(groups if args.single else []):
                offset, side = divmod(index, len(sides))
                name = '_'.join(filter(None, (args.split, f'{shown + offset:05d}', list(sides)[side])))
                for kind, picture in zip(('image', 'overlay'), group, strict=False):
                    save(args.out / f'{name}_{kind}.png', picture)
            drawn = len(groups) // len(sides)
            shown += drawn
            bar.update(drawn)
    if shown < args.number:
        print(f'{args.split}: all {shown} images were shown, --number {args.number} asked for more')
    print(share_table(names, counts))
    if counts[-1]:
        print(f'{counts[-1]} pixels have an id that is neither a class (0..{len(names) - 1}) nor ignored')
    print(f'pictures written to {args.out}')
    return counts


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
