"""Count the parameters and floating-point operations of a segmentation network, for each of its parts.

    python tools/analysis_tools/get_flops.py CONFIG --shape 512 1024

FLOPs are those of convolutions, transposed convolutions and matrix products of one forward pass for one image, a
multiplication and an addition being two operations; MACs are half of that. Many papers print MACs under the name
FLOPs.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.config import DictAction
from prettytable import PrettyTable

from mmssl.apis.config import load_config
from mmssl.apis.model_complexity import PartComplexity, measure_complexity
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.segmentor_workload import build_segmentor


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or package::file for one of a host package')
    parser.add_argument('--shape', nargs=2, type=int, default=(512, 1024), metavar=('H', 'W'), help='pixels')
    parser.add_argument('--channels', type=int, default=3, help='of the input')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    parser.add_argument('--out', type=Path, help='JSON file for the numbers')
    args = parser.parse_args(argv)
    if min(*args.shape, args.channels) < 1:
        parser.error(f'--shape {args.shape}, --channels {args.channels} found, numbers above 0 expected')
    return args


def report(parts: dict[str, PartComplexity], shape: tuple[int, int]) -> str:
    """Lays the numbers out as a table."""
    table = PrettyTable(['part', 'parameters', 'trainable', 'GFLOPs', 'GMACs'])
    table.title = f'one image of {shape[0]}x{shape[1]}'
    table.align = 'r'
    table.align['part'] = 'l'
    for name, part in parts.items():
        giga = part.flops / 1e9
        table.add_row([name, f'{part.parameters:,}', f'{part.trainable:,}', f'{giga:.3f}', f'{giga / 2:.3f}'])
    return f'{table}\n1 MAC (multiply-accumulate) = 2 FLOPs; normalisation, activations and resizing are not counted'


def main(argv: list[str] | None = None) -> dict[str, PartComplexity]:
    """Counts and prints; returns the parts."""
    args = parse_args(argv)
    model = build_segmentor(load_config(args.config, args.cfg_options), args.config).eval()
    images = torch.zeros(1, args.channels, *args.shape)
    parts = measure_complexity(model, lambda: model(images, mode='tensor'))
    print(report(parts, args.shape))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        content = {'shape': list(args.shape), 'parts': {name: asdict(part) for name, part in parts.items()}}
        args.out.write_text(json.dumps(content, indent=2))
        print(f'numbers written to {args.out}')
    return parts


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS, RuntimeError):
        main()
