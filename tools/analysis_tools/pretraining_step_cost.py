"""Time of a PixPro training step with each propagation module beside the same step without one.

    python tools/analysis_tools/pretraining_step_cost.py configs/pixpro/pixpro_erfnet_1xb16-1000i_camvid-96x96.py
    python tools/analysis_tools/pretraining_step_cost.py CONFIG --batch-size 8 --frame 7 --device cuda

What is measured: ``train_step`` of the config's model with its optimiser (data preprocessor, both views through both
encoders, erasing, loss, backward, update) and the update of the target, on noise. The propagation of the config is
replaced by PPM, by LocalPPM, by self-attention and by none; all else is the config's. Steps take turns
(A, B, C, D, A, ...) after a warm-up; the ratio to "none" is the median of the rounds' ratios. Not timed: reading
images, hooks.
"""

import argparse
import itertools
import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from prettytable import PrettyTable
from tqdm import tqdm

from mmssl.apis.config import load_config
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.sync_norm import sync_norm_to_norm
from mmssl.apis.timing import Quartiles, compare, time_in_turns
from mmssl.models.selfsup.pixpro import PixPro
from mmssl.testing import pixel_views_batch

WARMUP = 2


def propagations(channels: int, frame: int) -> dict[str, dict | None]:
    """The modules to compare, with their configs; the first is the one that the others are compared with."""
    shared = {'in_channels': channels}
    return {
        'none': None,
        'PPM': {'type': 'mmssl.PPM', **shared},
        f'LocalPPM {frame}x{frame}': {'type': 'mmssl.LocalPPM', 'frame_size': frame, **shared},
        'self-attention': {'type': 'mmssl.SelfAttentionPropagation', **shared},
    }


def view_side(config: dict) -> int:
    """Side of the views in the config's pipeline, in pixels."""
    for step in config['train_dataloader']['dataset']['pipeline']:
        if step['type'] == 'mmssl.PixelViews':
            return step['scale']
    raise ValueError('the training pipeline has no mmssl.PixelViews, a recipe of PixPro expected')


def build_step(config: dict, propagation: dict | None, batch: dict, device: str) -> Callable[[], object]:
    """Builds a model; returns one training step on the batch, update of the target included."""
    torch.manual_seed(0)
    cfg = {**config['model'], 'propagation': propagation}
    model = MODELS.build(sync_norm_to_norm(cfg)[0] if device == 'cpu' else cfg)
    if not isinstance(model, PixPro):
        raise ValueError(f'{type(model).__name__} found, mmssl.PixPro expected')
    model.to(device).train()
    model.teacher.synchronize(model.student)
    model.teacher.plan(10**6)
    optim_wrapper = build_optim_wrapper(model, config['optim_wrapper'])
    iterations = itertools.count()

    def step() -> None:
        model.begin_iteration(next(iterations), 0)
        model.train_step(batch, optim_wrapper)
        model.teacher.update(model.student)

    return step


def positive(text: str) -> int:
    """Parses a number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} found, a whole number above 0 expected')
    return int(text)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='recipe of mmssl.PixPro')
    parser.add_argument('--batch-size', type=positive, help="images of a step (default: the config's)")
    parser.add_argument('--frame', type=positive, default=5, help='n of LocalPPM, n x n pixels')
    parser.add_argument('--repeats', type=positive, default=10, help='timed rounds')
    parser.add_argument('--device', choices=('cpu', 'cuda'), help='default: cuda where there is one')
    parser.add_argument('--out', type=Path, metavar='JSON', help='file for all numbers')
    args = parser.parse_args(argv)
    args.device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device cuda: no CUDA device found')
    return args


def report(rows: list[dict]) -> str:
    """Lays the numbers out as a table."""
    table = PrettyTable(['propagation', 'median ms', 'quartiles ms', 'step / none'])
    table.align = 'r'
    table.align['propagation'] = 'l'
    for row in rows:
        low, median, high = (row['step_s'][key] * 1e3 for key in ('lower', 'median', 'upper'))
        table.add_row([row['propagation'], f'{median:.1f}', f'{low:.1f} .. {high:.1f}', f'{row["to_none"]:.3f}'])
    return table.get_string()


def main(argv: list[str] | None = None) -> dict:
    """Measures all modules; returns all numbers."""
    args = parse_args(argv)
    config = load_config(args.config)
    init_default_scope(config.default_scope)
    side, batch_size = view_side(config), args.batch_size or config.train_dataloader.batch_size
    channels = config.model.neck.out_channels
    settings = {
        'config': args.config,
        'device': args.device,
        'device_name': torch.cuda.get_device_name() if args.device == 'cuda' else platform.machine(),
        'threads': torch.get_num_threads(),
        'torch': torch.__version__,
        'batch_size': batch_size,
        'views': f'{side}x{side}',
        'repeats': args.repeats,
    }
    print(', '.join(f'{key} {value}' for key, value in settings.items()))
    batch = pixel_views_batch(batch_size=batch_size, side=side)
    modules = propagations(channels, args.frame)
    steps = [build_step(config, propagation, batch, args.device) for propagation in modules.values()]
    durations = time_in_turns(
        steps,
        args.repeats,
        warmup=WARMUP,
        synchronize=torch.cuda.synchronize if args.device == 'cuda' else None,
        rounds=lambda turns: tqdm(turns, unit='round'),
    )
    rows = [
        {
            'propagation': name,
            'step_s': asdict(Quartiles.of(seconds)),
            'to_none': compare(seconds, durations[0]).paired_ratios.median,
        }
        for name, seconds in zip(modules, durations, strict=True)
    ]
    print(report(rows))
    numbers = {**settings, 'rows': rows}
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(numbers, indent=2))
        print(f'numbers written to {args.out}')
    return numbers


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS, MemoryError, torch.OutOfMemoryError):
        main()
