"""Time of background removal beside mmdet's inference_detector on the same images.

    python tools/analysis_tools/cutout_speed.py CONFIG CHECKPOINT IMAGES... --batch-sizes 1 4 --backgrounds black blur

The images are in memory: reading and writing are not counted. The ways take turns with a few images each, as many as
the largest batch has, after a warm-up; the ratio is the median of the turns' ratios. mmdet makes the masks of all boxes
above the model's own threshold; ours leaves out those at or below --score-thr, unless --keep-weak is given.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

import torch
from mmdet.apis import inference_detector
from mmengine.config import DictAction
from prettytable import PrettyTable

from mmssl.apis.background_removal import BackgroundRemover, read_image
from mmssl.apis.config import load_config
from mmssl.apis.cutout_jobs import images_below
from mmssl.apis.mask_prediction import MaskPredictor
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.timing import Quartiles, compare, time_in_turns
from mmssl.evaluation.cutouts import BACKGROUNDS

CLOCKS = {'wall': time.perf_counter, 'cpu': time.process_time}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or package::file for one of a host package')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('inputs', nargs='+', type=Path, metavar='IMAGES', help='images and folders of images')
    parser.add_argument('--images', type=int, default=20, help='at most so many')
    parser.add_argument('--batch-sizes', type=int, nargs='+', default=[1, 4])
    parser.add_argument('--backgrounds', nargs='+', choices=BACKGROUNDS, default=['black', 'blur'])
    parser.add_argument('--score-thr', type=float, default=0.5)
    parser.add_argument('--keep-weak', action='store_true', help='make the masks of weak boxes too')
    parser.add_argument('--rounds', type=int, default=3, help='timed rounds over all images')
    parser.add_argument(
        '--clock', choices=CLOCKS, default='wall', help='cpu: seconds of this process, for a CPU that is busy otherwise'
    )
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Measures and prints; returns the ratio of each way."""
    args = parse_args(argv)
    files = [file for given in args.inputs for file in (images_below(given) if given.is_dir() else [given])]
    images = [read_image(file) for file in files[: args.images]]
    build = {'device': args.device, 'options': args.cfg_options}
    plain = MaskPredictor(args.config, args.checkpoint, score_thr=0, **build)
    ours = MaskPredictor(args.config, args.checkpoint, score_thr=args.score_thr, **build)
    if args.keep_weak:
        ours.model = plain.model
    plain.model.cfg = load_config(args.config, args.cfg_options)
    step = max(args.batch_sizes)
    groups = [images[start : start + step] for start in range(0, len(images), step)]
    ways = {'inference_detector': partial(inference_detector, plain.model)}
    for size in args.batch_sizes:
        for background in args.backgrounds:
            remover = BackgroundRemover(ours, background=background, batch_size=size)
            # Each cut-out is forgotten at once, as when it has been written.
            ways[f'{background}, batches of {size}'] = lambda group, remover=remover: sum(1 for _ in remover(group))
    turns = [partial(_next_group, way, cycle(groups)) for way in ways.values()]
    wait = torch.cuda.synchronize if args.device.startswith('cuda') else None
    seconds = time_in_turns(
        turns, args.rounds * len(groups), warmup=len(groups), clock=CLOCKS[args.clock], synchronize=wait
    )
    table = PrettyTable(['way', 'median ms an image', 'ratio', 'quartiles'])
    ratios = {}
    for name, durations in zip(ways, seconds, strict=True):
        ratio = compare(durations, seconds[0]).paired_ratios
        ratios[name] = ratio.median
        milliseconds = Quartiles.of(durations).median * 1e3 / step
        table.add_row([name, f'{milliseconds:.1f}', f'{ratio.median:.3f}', f'{ratio.lower:.3f} .. {ratio.upper:.3f}'])
    settings = f'{args.rounds} rounds, {args.device}, {torch.get_num_threads()} threads, {args.clock} clock'
    print(f'{len(images)} images, {settings}')
    print(table.get_string())
    return ratios


def _next_group(way: Callable, groups: Iterator) -> None:
    way(next(groups))


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
