"""Train the model of a config.

Example:
    python tools/train.py configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py
"""

import argparse
import os

from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.runner import Runner

from mmssl.apis.config import ConfigError, default_work_dir, load_config
from mmssl.apis.data_folders import check_data_folders
from mmssl.apis.failing_ranks import LostRankError, end_at_once, training_failures
from mmssl.apis.launch import prepare_launch
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.resuming import find_resume_checkpoint
from mmssl.apis.start_audit import audit_settings, audit_start, check_annotation_files
from mmssl.engine.run_record import COMPARED


def parse_args() -> argparse.Namespace:
    """Read the command line, in the form of the OpenMMLab tools."""
    parser = argparse.ArgumentParser(description='Train the model of a config.')
    parser.add_argument('config', help='config file, or package::file for one of a host package')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config name>)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='latest',
        metavar='PATH',
        help='go on from a checkpoint; without PATH from the newest in the work dir; auto: from that or from zero',
    )
    parser.add_argument(
        '--allow-changes',
        nargs='+',
        choices=sorted(COMPARED),
        default=[],
        metavar='WHAT',
        help=f'with --resume: what may be another than in the checkpoint, of {", ".join(sorted(COMPARED))}',
    )
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision (needs an accelerator)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0, help='set by some launchers')
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def enable_amp(cfg: Config) -> None:
    """Turn the optimiser wrapper of ``cfg`` into the one for mixed precision."""
    if get_device() == 'cpu':
        raise ConfigError('--amp: no accelerator found, mixed precision needs one')
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ConfigError(f"--amp: optim_wrapper.type is {kind!r}, expected 'OptimWrapper'")
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def allow_changes(cfg: Config, args: argparse.Namespace) -> None:
    """Hand ``--allow-changes`` over to the hook of ``cfg`` that compares."""
    hook = (cfg.get('default_hooks') or {}).get('resume_check')
    if not args.resume or hook is None:
        missing = 'default_hooks.resume_check' if args.resume else '--resume'
        raise ConfigError(f'--allow-changes: no {missing}, nothing is compared')
    hook.allowed = args.allow_changes


def train(args: argparse.Namespace) -> None:
    """Build the runner and train."""
    with one_line_errors(*BUILD_ERRORS):
        cfg = load_config(args.config, args.cfg_options)
        cfg.launcher = args.launcher
        cfg.work_dir = args.work_dir or cfg.get('work_dir') or default_work_dir(args.config)
        if args.amp:
            enable_amp(cfg)
        if args.allow_changes:
            allow_changes(cfg, args)
        if args.resume:
            checkpoint = find_resume_checkpoint(args.resume, cfg.work_dir)
            if checkpoint is None:
                print(f'--resume auto: no checkpoint in {cfg.work_dir}, the training starts at iteration 0', flush=True)
            else:
                cfg.resume, cfg.load_from = True, checkpoint
        check_data_folders(cfg, ('train', 'val'))
        check_annotation_files(cfg, ('train', 'val'))
        settings = audit_settings(cfg)
        prepare_launch(cfg)
        runner = Runner.from_cfg(cfg)
        # The runner builds its loops late; here a mistake in a dataset is still told in one line.
        datasets = {'train_dataloader': runner.train_loop.dataloader.dataset}
        if cfg.get('val_cfg'):
            datasets['val_dataloader'] = runner.val_loop.dataloader.dataset
        audit_start(datasets, settings)
    with one_line_errors(LostRankError), training_failures(runner.work_dir, runner.rank):
        runner.train()


def main() -> None:
    """Train, and end all processes of the run when one fails."""
    args = parse_args()
    with end_at_once(args.launcher != 'none'):
        train(args)


if __name__ == '__main__':
    main()
