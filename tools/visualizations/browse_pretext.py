"""Show a pretext task: input, target and, with a checkpoint, what the model predicts, a row an image.

    python tools/visualizations/browse_pretext.py CONFIG [CHECKPOINT] --number 8 --out browse

Out comes one PNG. Rotation: the image, upright by the label and by the prediction. Jigsaw: the shuffled puzzle and how
the true and the predicted permutation solve it, pieces at a wrong place in a red frame. Relative patch: two patches,
and the neighbour where it was and where the prediction puts it. Otsu clusters: clusters as grey levels. Colorization:
lightness, true and predicted colours, and the nearest centres where the model predicts bins. Inpainting: the image with
a square erased, the whole one, the prediction, the square filled in with it. Denoising: noise, the clean image, the
prediction. SimCLR: two views and the view nearest to each among those of all images drawn. PixPro: the image with both
crops, the views with their positive pairs, and the similarity of a pixel to the other view. A green frame means right,
a red one wrong. The task is told by the transform of the pipeline that makes the target; of a recipe of joint training
--task names one.
"""

import argparse
from pathlib import Path

import cv2
import torch
from mmengine.config import DictAction

from mmssl.apis.config import load_config
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.pretext_browsing import (
    build_pretext_dataset,
    choose_split,
    choose_task,
    draw_samples,
    find_task,
    load_pretext_model,
)
from mmssl.apis.pretext_task import Drawing
from mmssl.visualization.pretext_pictures import task_sheet

NO_PREDICTION = 'no checkpoint: input and target only'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or package::file for one of a host package')
    parser.add_argument('checkpoint', nargs='?', help='weights of its model; without them input and target only')
    parser.add_argument('--split', choices=('train', 'val'), help='images to draw (default: val where there is one)')
    parser.add_argument('--task', metavar='NAME', help='of a recipe of joint training: which of its pretext tasks')
    parser.add_argument('--number', type=int, default=8, metavar='N', help='images, chosen at random')
    parser.add_argument(
        '--out', type=Path, default=Path('browse'), metavar='DIR|FILE.png', help='folder for the picture, or its file'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the choice and of what the pipeline draws')
    parser.add_argument('--height', type=int, default=256, metavar='PIXELS', help='of each picture')
    parser.add_argument(
        '--map-size', type=int, metavar='CELLS', help='PixPro: side of the maps without a checkpoint (7)'
    )
    parser.add_argument(
        '--pixel',
        type=int,
        nargs=2,
        metavar=('ROW', 'COLUMN'),
        help='PixPro: cell of view 1 (default: near the centre)',
    )
    parser.add_argument('--device', choices=('cpu', 'cuda'), help='of the model (default: cuda where there is one)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    args = parser.parse_args(argv)
    for name, least in (('number', 1), ('height', 32), ('seed', 0), ('map_size', 1)):
        found = getattr(args, name)
        if found is not None and found < least:
            parser.error(f'--{name.replace("_", "-")}: {found} found, a whole number from {least} expected')
    if args.out.suffix.lower() in ('.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp'):
        parser.error(f'--out: {args.out} found, a folder or a file that ends with .png expected')
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device cuda: no CUDA device found')
    args.device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    return args


def picture_path(args: argparse.Namespace, split: str) -> Path:
    """The file that --out names, or one in its folder, named after config and split."""
    if args.out.suffix.lower() == '.png':
        return args.out
    return args.out / f'{Path(args.config.replace("::", "/")).stem}_{split}.png'


def main(argv: list[str] | None = None) -> Drawing:
    """Draws and writes; returns what was drawn."""
    args = parse_args(argv)
    cfg = choose_task(load_config(args.config, args.cfg_options), args.task, args.config)
    split = choose_split(cfg, args.split, args.config)
    dataset = build_pretext_dataset(cfg, split)
    options = {name: getattr(args, name) for name in ('map_size', 'pixel') if getattr(args, name) is not None}
    task = find_task(dataset, f'{args.config}, {split}_dataloader', cfg.get('model'), **options)
    model = None
    if args.checkpoint:
        model = load_pretext_model(cfg, args.config, args.checkpoint, args.device, task=args.task)
    samples = draw_samples(dataset, args.number, args.seed)
    drawing = task.draw(samples, model)
    answer = f'{Path(args.checkpoint).name}: {drawing.summary}' if model else NO_PREDICTION
    heading = [f'{task.name}, {split}, {Path(args.config.replace("::", "/")).name}', answer]
    path = picture_path(args, split)
    sheet = task_sheet(heading, drawing.columns, drawing.rows, height=args.height, entries=drawing.entries)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), sheet[..., ::-1]):
        raise OSError(f'{path}: cannot be written')
    if len(samples) < args.number:
        print(f'{split}: all {len(samples)} images were drawn, --number {args.number} asked for more')
    print(f'{task.name}: {answer}')
    print(f'picture written to {path}')
    return drawing


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
