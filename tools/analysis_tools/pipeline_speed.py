"""Images per second and core of training pipelines, and the time of each step.

    python tools/analysis_tools/pipeline_speed.py CONFIG [CONFIG ...] --size 512x1024 --size 240x320

Prints one table for the pipelines (images per second and core, the slowest step) and one for the steps of each, in
milliseconds for one image. --out writes the numbers as JSON.
Source images are the dataset's own, those of --images, or, where the dataset's files are missing, procedural street
scenes. --size resizes them before the measurement; the pipeline's own Resize stays as it is. One thread, as a worker of
the loader has; files are in the cache, so the disk is not timed. Divide the images per second that training consumes by
the figure to know how many workers it needs.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from mmengine.config import DictAction
from prettytable import PrettyTable
from tqdm import tqdm

from mmssl.apis.config import load_config
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.pipeline_speed import PipelineSpeed, measure_pipeline


def parse_size(text: str) -> tuple[int, int]:
    """Parses HxW into height and width."""
    parts = text.lower().split('x')
    if len(parts) != 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f'{text} found, HEIGHTxWIDTH expected, such as 512x1024')
    return int(parts[0]), int(parts[1])


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='path, or package::path of an installed package')
    parser.add_argument('--size', type=parse_size, action='append', metavar='HxW', help='source images; repeatable')
    parser.add_argument('--images', type=Path, metavar='FOLDER', help="images to take instead of the dataset's")
    parser.add_argument('--number', type=int, default=16, help='source images')
    parser.add_argument('--seconds', type=float, default=3.0, help='duration of each measurement, after a warm-up')
    parser.add_argument('--seed', type=int, default=0, help='of the augmentations')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={}, help='key=value, for all configs')
    parser.add_argument('--out', type=Path, help='JSON file for all numbers')
    args = parser.parse_args(argv)
    if args.number < 1 or not args.seconds > 0:
        parser.error(f'--number {args.number}, --seconds {args.seconds:g} found, numbers above 0 expected')
    args.size = args.size or [None]
    return args


def name_of(config: str) -> str:
    """Shortens a config argument for a table."""
    return Path(config.replace('::', '/')).stem


def size_of(speed: PipelineSpeed) -> str:
    """Writes the size of the source images."""
    return '{}x{}'.format(*speed.size) if speed.size else 'own'


def summary(speeds: list[PipelineSpeed]) -> str:
    """Lays the pipelines out as a table, with the origin of the images below."""
    table = PrettyTable(['config', 'source', 'images/s and core', 'ms', 'slowest step', 'ms of it'])
    table.align = 'r'
    table.align['config'] = table.align['slowest step'] = 'l'
    for speed in speeds:
        slowest = max(range(len(speed.steps)), key=lambda index: speed.milliseconds[index])
        table.add_row(
            [
                name_of(speed.config),
                size_of(speed),
                f'{speed.images_per_second:.1f}',
                f'{sum(speed.milliseconds):.2f}',
                speed.steps[slowest],
                f'{speed.milliseconds[slowest]:.2f}',
            ]
        )
    return table.get_string()


def details(speed: PipelineSpeed) -> str:
    """Lays the steps of a pipeline out as a table, with the verdict below."""
    table = PrettyTable(['step', 'ms', '%'])
    table.title = f'{name_of(speed.config)}, {size_of(speed)}'
    table.align = 'r'
    table.align['step'] = 'l'
    total = sum(speed.milliseconds)
    for name, milliseconds in zip(speed.steps, speed.milliseconds, strict=True):
        table.add_row([name, f'{milliseconds:.3f}', f'{100 * milliseconds / total:.1f}'])
    lines = [table.get_string(), f'{speed.origin}; {speed.rounds} rounds; {speed.verdict()}']
    if speed.rejected:
        lines.append(f'{100 * speed.rejected:.1f} % of the samples were turned down by a step')
    return '\n'.join(lines)


def main(argv: list[str] | None = None) -> list[PipelineSpeed]:
    """Measures and prints; returns the speeds."""
    args = parse_args(argv)
    jobs = [(config, load_config(config, args.cfg_options), size) for config in args.configs for size in args.size]
    options = {'images': args.images, 'number': args.number, 'seconds': args.seconds, 'seed': args.seed}
    speeds = [
        measure_pipeline(cfg, config, size=size, **options)
        for config, cfg, size in tqdm(jobs, desc='pipelines', unit='pipeline', disable=len(jobs) < 2)
    ]
    for speed in speeds:
        print(details(speed))
    print(summary(speeds))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps([asdict(speed) for speed in speeds], indent=2))
        print(f'numbers written to {args.out}')
    return speeds


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
