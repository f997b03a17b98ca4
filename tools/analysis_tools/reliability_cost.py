"""What the promises of docs/reliability.md cost: a share of the step of a recipe, and of a plain torch.save.

    python tools/analysis_tools/reliability_cost.py configs/erfnet/erfnet_1xb8-150i_streets-192x256.py

The recipe is trained for some iterations in a folder of its own, with clocks at the seeding and at the hooks; then its
checkpoint is written in turns by our hook, by torch.save with and without waiting for the disk, and in mmengine's way.
Our hook is timed until the training goes on, and until the checkpoint is in its place.
"""

import argparse
import functools
import statistics
import tempfile
from pathlib import Path

from mmengine.config import DictAction
from mmengine.runner import Runner
from prettytable import PrettyTable
from tqdm import tqdm

from mmssl.apis.config import ConfigError, load_config
from mmssl.apis.launch import prepare_launch
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.reliability_cost import noise_checkpoint, time_saving, time_training
from mmssl.tensor_file import read_tensor_file


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='recipe with a loop of mmssl that counts iterations')
    parser.add_argument('--iterations', type=int, default=60, help='timed iterations')
    parser.add_argument('--warmup', type=int, default=10, help='iterations before that')
    parser.add_argument('--saves', type=int, default=15, help='timed rounds of saving')
    parser.add_argument('--megabytes', type=float, nargs='+', default=[], help='also write checkpoints of these sizes')
    parser.add_argument('--folder', help='on the disk to save to; default: the one for temporary files')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    args = parser.parse_args(argv)
    if args.warmup < 1 or args.iterations < 1 or args.saves < 1:
        parser.error('--warmup, --iterations and --saves: expected 1 or more')
    return args


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Measures and prints; returns the shares."""
    args = parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        with one_line_errors(*BUILD_ERRORS):
            cfg = load_config(args.config, args.cfg_options)
            if 'max_iters' not in cfg.get('train_cfg', {}):
                raise ConfigError(f'{args.config}: no train_cfg.max_iters, expected a recipe that counts iterations')
            cfg.train_cfg.max_iters = args.warmup + args.iterations
            # Without workers what is done for each sample is part of the step, and of its time.
            cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
            cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
            cfg.work_dir, cfg.launcher, cfg.log_level = folder, 'none', 'WARNING'
            cfg.default_hooks.checkpoint.update(interval=cfg.train_cfg.max_iters, save_best=None)
            prepare_launch(cfg)
            runner = Runner.from_cfg(cfg)
        with one_line_errors():
            clock = time_training(runner, args.warmup)
        content = read_tensor_file(Path(folder) / f'iter_{cfg.train_cfg.max_iters}.pth', 'checkpoint')
        size = (Path(folder) / f'iter_{cfg.train_cfg.max_iters}.pth').stat().st_size
        contents = {size / 1e6: content} | {each: noise_checkpoint(each) for each in args.megabytes}
        bar = functools.partial(tqdm, desc='saving')
        ratios = {size: time_saving(each, Path(folder), args.saves, bar) for size, each in contents.items()}
    step = statistics.median(clock.steps)
    table = PrettyTable(['part', 'microseconds a step', 'share of a step'], align='r')
    table.align['part'] = 'l'
    shares = {}
    for name, seconds in clock.parts.items():
        shares[name] = statistics.median(seconds) / step
        table.add_row([name, f'{statistics.median(seconds) * 1e6:.0f}', f'{shares[name]:.3%}'])
    shares['all'] = sum(shares.values())
    table.add_row(['all', f'{shares["all"] * step * 1e6:.0f}', f'{shares["all"]:.3%}'])
    print(f'{args.config}: a step takes {step * 1e3:.1f} ms, median of {len(clock.steps)}')
    print(table)
    for size, compared in ratios.items():
        for name, ratio in compared.items():
            paired = ratio.paired_ratios
            shares[f'saving {size:.1f} MB: {name}'] = ratio.ratio_of_medians
            print(
                f'saving {size:.1f} MB: {name} {ratio.ratio_of_medians:.2f} '
                f'(quartiles of the pairs {paired.lower:.2f} and {paired.upper:.2f})'
            )
    return shares


if __name__ == '__main__':
    main()
