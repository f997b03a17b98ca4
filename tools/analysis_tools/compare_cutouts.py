"""Compare the cut-outs of several networks with the truth: a table (S3, table 4.4) and a contact sheet (figure 4.14).

    python tools/analysis_tools/compare_cutouts.py --model BYOL CONFIG CHECKPOINT --model random CONFIG CHECKPOINT

Images and truth are the test set of the first config, or any annotations of COCO's form with --ann-file and
--image-dir. Images without an instance are left out. The means are over all images compared, the sheet shows the first.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import DictAction
from prettytable import PrettyTable

from mmssl.apis.coco_truth import choose_images, read_true_images
from mmssl.apis.config import load_config
from mmssl.apis.cutout_comparison import ModelCutouts, comparison_sheet, evaluate_cutouts, true_masks
from mmssl.apis.mask_prediction import MaskPredictor
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.atomic_file import write_atomically
from mmssl.errors import DataError
from mmssl.evaluation.cutouts import INSTANCES


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--model', nargs=3, action='append', required=True, metavar=('NAME', 'CONFIG', 'CHECKPOINT'), help='repeatable'
    )
    parser.add_argument('--ann-file', help="annotations of COCO's form (default: the first config's test set)")
    parser.add_argument('--image-dir', help='folder of their images')
    parser.add_argument('--images', type=int, metavar='N', help='images to compare (default: all)')
    parser.add_argument('--seed', type=int, help='draw them (default: the first N)')
    parser.add_argument('--rows', type=int, default=8, help='images on the sheet')
    parser.add_argument('--instances', nargs='+', default=['all'], help='all, largest, or names of classes')
    parser.add_argument('--score-thr', type=float, default=0.5, help='instances with a score above it count')
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    parser.add_argument('--out', type=Path, default=Path('cut_outs.png'), help='sheet (PNG, JPEG)')
    parser.add_argument('--json', type=Path, help='file for the means and the values of each image')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override all configs')
    args = parser.parse_args(argv)
    if args.instances[0] in INSTANCES and len(args.instances) == 1:
        args.instances = args.instances[0]
    names = [name for name, *_ in args.model]
    if len(set(names)) < len(names):
        parser.error(f'--model: names {", ".join(names)} found, each once expected')
    if args.out.suffix.lower() not in ('.png', '.jpg', '.jpeg'):
        parser.error(f'--out: {args.out} found, a file that ends with .png or .jpg expected')
    if args.rows < 1:
        parser.error(f'--rows: {args.rows} found, at least 1 expected')
    return args


def table_of(models: list[ModelCutouts]) -> str:
    """Lays out the means over the images, in percent."""
    table = PrettyTable(['model', 'cosine similarity %', 'mask IoU %'])
    table.align = 'r'
    table.align['model'] = 'l'
    for model in models:
        table.add_row([model.name, f'{np.mean(model.cosine):.2f}', f'{np.mean(model.iou):.2f}'])
    return table.get_string()


def main(argv: list[str] | None = None) -> list[ModelCutouts]:
    """Compares, prints and draws; returns the numbers."""
    args = parse_args(argv)
    config = args.model[0][1]
    images, classes = read_true_images(load_config(config, args.cfg_options), config, args.ann_file, args.image_dir)
    truths, left_out = true_masks(choose_images(images, args.images, args.seed), classes, args.instances)
    if not truths:
        raise DataError(f'none of {len(left_out)} images has an instance of {args.instances}, expected one')
    models = []
    for name, config, checkpoint in args.model:  # one network in memory at a time
        predictor = MaskPredictor(
            config, checkpoint, score_thr=args.score_thr, device=args.device, options=args.cfg_options
        )
        models.append(evaluate_cutouts(name, predictor, truths, args.instances, args.rows))
    print(table_of(models))
    print(f'{len(truths)} images, {len(left_out)} without an instance left out')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet = cv2.imencode(args.out.suffix, comparison_sheet(truths, models))[1]
    write_atomically(args.out, sheet.tobytes())
    print(f'sheet written to {args.out}')
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(args.json, (json.dumps(numbers_of(args, truths, left_out, models), indent=2) + '\n').encode())
        print(f'numbers written to {args.json}')
    return models


def numbers_of(args: argparse.Namespace, truths: list, left_out: list[str], models: list[ModelCutouts]) -> dict:
    """Options, means and the values of each image, in percent."""
    paths = [truth.path for truth in truths]
    settings = {'instances': args.instances, 'score_thr': args.score_thr, 'images': len(paths), 'left_out': left_out}
    numbers = {}
    for (name, config, checkpoint), model in zip(args.model, models, strict=True):
        of_images = {p: {'cosine': c, 'iou': i} for p, c, i in zip(paths, model.cosine, model.iou, strict=True)}
        means = {'cosine': float(np.mean(model.cosine)), 'iou': float(np.mean(model.iou))}
        numbers[name] = {'config': config, 'checkpoint': checkpoint, **means, 'per_image': of_images}
    return {**settings, 'models': numbers}


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
