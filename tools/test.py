"""Test a checkpoint: mean and per-class metrics, predictions as masks or as pictures.

Example:
    python tools/test.py configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py CHECKPOINT --show-dir pictures
"""

import argparse
import os

from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from mmssl.apis.config import ConfigError, default_work_dir, load_config
from mmssl.apis.data_folders import check_data_folders
from mmssl.apis.failing_ranks import LostRankError, end_at_once, lost_ranks
from mmssl.apis.launch import prepare_launch
from mmssl.apis.metrics_file import write_metrics
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.start_audit import audit_settings, audit_start, check_annotation_files


def parse_args() -> argparse.Namespace:
    """Read the command line, in the form of the OpenMMLab tools."""
    parser = argparse.ArgumentParser(description='Test a checkpoint.')
    parser.add_argument('config', help='config file, or package::file for one of a host package')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='folder for the log and metrics.json (default: work_dirs/<config name>)')
    parser.add_argument('--out', metavar='DIR', help='save the predicted masks as PNG, one a test image')
    parser.add_argument('--show-dir', metavar='DIR', help='save photograph, truth and prediction side by side')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0, help='set by some launchers')
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def save_masks(cfg: Config, folder: str) -> None:
    """Let the IoU metric of ``cfg`` write the predicted masks to ``folder``."""
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, (list, tuple)) else [cfg.test_evaluator]
    writers = [evaluator for evaluator in evaluators if str(evaluator.get('type')).endswith('IoUMetric')]
    if not writers:
        raise ConfigError('--out: test_evaluator has no IoUMetric, which writes the masks')
    writers[0].output_dir = folder


def test(args: argparse.Namespace) -> None:
    """Build the runner, load the checkpoint strictly and test."""
    with one_line_errors(*BUILD_ERRORS):
        cfg = load_config(args.config, args.cfg_options)
        cfg.launcher = args.launcher
        cfg.work_dir = args.work_dir or cfg.get('work_dir') or default_work_dir(args.config)
        if not os.path.isfile(args.checkpoint):
            raise FileNotFoundError(f'checkpoint not found: {args.checkpoint}')
        cfg.load_from, cfg.resume = args.checkpoint, False
        # A network with a random layer gives numbers too, so every tensor must come from the checkpoint.
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), {'type': 'mmssl.StrictLoadHook'}]
        if args.show_dir:
            cfg.custom_hooks.append({'type': 'mmssl.PictureHook', 'out_dir': args.show_dir})
        if args.out:
            save_masks(cfg, args.out)
        check_data_folders(cfg, ('test',))
        check_annotation_files(cfg, ('test',))
        settings = audit_settings(cfg)
        prepare_launch(cfg)
        runner = Runner.from_cfg(cfg)
        audit_start({'test_dataloader': runner.test_loop.dataloader.dataset}, settings)
    with one_line_errors(LostRankError), lost_ranks(runner.rank):
        metrics = runner.test()
    if is_main_process():
        path = write_metrics(cfg.work_dir, args.checkpoint, metrics, runner.test_evaluator.metrics)
        print(f'metrics written to {path}')


def main() -> None:
    """Test, and end all processes of the run when one fails."""
    args = parse_args()
    with end_at_once(args.launcher != 'none'):
        test(args)


if __name__ == '__main__':
    main()
