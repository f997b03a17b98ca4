"""Remove the background of images, of folders of images and of videos.

    python tools/remove_background.py photos video.mp4 --config CONFIG --checkpoint CHECKPOINT --out cut_outs

Any instance segmentation model of mmdet will do. An image becomes OUT/<name>.png, a folder keeps its subfolders, a
video becomes OUT/<name>.mp4 without sound, or with --background transparent a folder of PNG. Files that cannot be read
are listed at the end; the others are there then, and the exit status is 1.
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction

from mmssl.apis.background_removal import NO_INSTANCE, BackgroundRemover
from mmssl.apis.config import ConfigError
from mmssl.apis.cutout_files import CutoutReport, remove_backgrounds
from mmssl.apis.cutout_jobs import plan_jobs
from mmssl.apis.mask_prediction import MaskPredictor
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.evaluation.cutouts import BACKGROUNDS, INSTANCES


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('inputs', nargs='+', metavar='IMAGES', help='images, folders of images, videos')
    parser.add_argument('--config', required=True, help='config file, or package::file for one of a host package')
    parser.add_argument('--checkpoint', required=True, help='checkpoint file')
    parser.add_argument('--out', required=True, type=Path, metavar='DIR', help='folder for the cut-outs')
    parser.add_argument('--instances', nargs='+', default=['all'], help='all, largest, or names of classes')
    parser.add_argument('--background', choices=BACKGROUNDS, default='black')
    parser.add_argument(
        '--no-instance',
        choices=NO_INSTANCE,
        default='empty',
        help='where nothing is found: all background (empty), the picture as it is (keep), or an error (fail)',
    )
    parser.add_argument('--score-thr', type=float, default=0.5, help='instances with a score above it count')
    parser.add_argument(
        '--batch-size', type=int, default=1, help='images at once; on a CPU they are predicted one by one'
    )
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    args = parser.parse_args(argv)
    if args.instances[0] in INSTANCES and len(args.instances) == 1:
        args.instances = args.instances[0]
    return args


def main(argv: list[str] | None = None) -> CutoutReport:
    """Cuts out and reports; ends with status 1 where a file failed."""
    args = parse_args(argv)
    with one_line_errors(*BUILD_ERRORS):
        # Before the model, which takes longer to load.
        jobs = plan_jobs(args.inputs, args.out, args.background == 'transparent')
        predictor = MaskPredictor(
            args.config, args.checkpoint, score_thr=args.score_thr, device=args.device, options=args.cfg_options
        )
        remover = BackgroundRemover(
            predictor,
            instances=args.instances,
            background=args.background,
            no_instance=args.no_instance,
            batch_size=args.batch_size,
        )
    with one_line_errors(OSError, ConfigError):
        report = remove_backgrounds(remover, jobs)
    count, *others = report.lines()
    print(f'{args.out}: {count}')
    if others:
        print('\n'.join(others), file=sys.stderr, flush=True)
    if report.failed:
        raise SystemExit(1)
    return report


if __name__ == '__main__':
    main()
