"""Search for an ERFNet by a self-supervised proxy: no labels, under a budget of parameters and FLOPs.

    python tools/architecture_search.py configs/architecture_search/searches/random_erfnet_12_streets-64x96.py \
        --work-dir work_dirs/search
    python tools/architecture_search.py CONFIG --work-dir work_dirs/search --resume      # goes on after an interruption

CONFIG names a proxy recipe, a segmentation recipe, the space, the budget, the algorithm (random search or regularised
evolution), the number of candidates and the seed: see configs/architecture_search/README.md. Each candidate's proxy is
trained by tools/train.py, with --gpus by tools/dist_train.sh, from a config that also runs by itself.

What comes out, in the work dir: candidates.jsonl, a line for each candidate; candidates/NNN/ with the configs of its
proxy and of its segmentation network, and the proxy's training; ranking.md and ranking.png. A candidate that fails is a
line with its reason. tools/analysis_tools/proxy_correlation.py then fine-tunes candidates and compares the rankings.

An interrupted search draws the same candidate again. Its training goes on from its newest checkpoint; where the recipe
keeps none but the last, it starts anew from the same seed.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmengine.config import DictAction

from mmssl.apis.config import load_config
from mmssl.apis.data_folders import check_data_folders
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.search.candidate import Candidate
from mmssl.search.candidate_training import Trainer
from mmssl.search.folder_lock import lock_folder
from mmssl.search.ranking import rank_candidates, ranking_picture, ranking_table
from mmssl.search.run_search import run_search
from mmssl.search.settings import read_settings, store_settings

TOOLS = Path(__file__).resolve().parent


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of a search')
    parser.add_argument('--work-dir', type=Path, required=True, help='folder of the search')
    parser.add_argument('--resume', action='store_true', help='go on with the search in the work dir')
    parser.add_argument('--gpus', type=int, metavar='N', help='N processes, as tools/dist_train.sh starts them')
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision (needs an accelerator)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    args = parser.parse_args(argv)
    if args.gpus is not None and args.gpus < 1:
        parser.error(f'--gpus: {args.gpus} found, a whole number from 1 expected')
    return args


def main(argv: Sequence[str] | None = None) -> list[Candidate]:
    """Runs the search; returns its candidates."""
    args = parse_args(argv)
    # As Ctrl-C does, so that the training ends with its search.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    show = partial(print, flush=True)
    with one_line_errors(*BUILD_ERRORS):
        settings = read_settings(load_config(args.config, args.cfg_options), args.gpus, args.amp)
        check_data_folders(settings.proxy.config, ('train', 'val'))
        with lock_folder(args.work_dir) as descriptor:
            store_settings(args.work_dir, settings, args.resume)
            trainer = Trainer(TOOLS, args.gpus, args.amp, (descriptor,), show)
            candidates = run_search(settings, args.work_dir, trainer, show)
            table = ranking_table(candidates, settings.proxy.metric)
            (args.work_dir / 'ranking.md').write_text(table)
            print(f'\n{table}')
            ranked = rank_candidates(candidates)
            if not ranked:
                raise ValueError(f'all {len(candidates)} candidates failed; the first: {candidates[0].reason}')
            ranking_picture(candidates, settings.proxy.metric, args.work_dir / 'ranking.png')
        print(f'table and picture: {args.work_dir / "ranking.md"}, {args.work_dir / "ranking.png"}')
        best = args.work_dir / ranked[0].config
        print(f'best candidate: {best}\nits segmentation: {best.with_name(best.name.replace("proxy", "segmentation"))}')
    return candidates


if __name__ == '__main__':
    main()
