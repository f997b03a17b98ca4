"""Fine-tune candidates of a search with labels, and say how well the proxy had ranked them.

    python tools/analysis_tools/proxy_correlation.py work_dirs/search                    # every candidate
    python tools/analysis_tools/proxy_correlation.py work_dirs/search --candidates 6     # six, spread over the ranking

WORK_DIR is that of tools/architecture_search.py. Each candidate is trained by its segmentation config, which starts
from the encoder of its proxy; the same command goes on where it was interrupted, within a training from its newest
checkpoint.

What comes out, beside the trainings in candidates/NNN/segmentation: finetuned.jsonl, a line for each; correlation.md,
both values of each candidate with Spearman's and Kendall's rank correlations, also those of parameters and FLOPs, which
a proxy should beat; correlation.png. p-values are of two-sided tests against independence.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.search.candidate import LOG, read_candidates
from mmssl.search.candidate_training import Trainer
from mmssl.search.correlation_report import correlate, correlation_picture, correlation_table, pair_up
from mmssl.search.finetuning import run_finetunings
from mmssl.search.folder_lock import lock_folder
from mmssl.search.rank_correlation import RankCorrelation
from mmssl.search.ranking import rank_candidates, spread_over_ranking
from mmssl.search.settings import read_described

TOOLS = Path(__file__).resolve().parents[1]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('work_dir', type=Path, help='of tools/architecture_search.py')
    parser.add_argument('--candidates', type=int, metavar='N', help='how many, spread over the ranking (default: all)')
    parser.add_argument('--gpus', type=int, metavar='N', help='N processes, as tools/dist_train.sh starts them')
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision (needs an accelerator)')
    args = parser.parse_args(argv)
    if args.gpus is not None and args.gpus < 1:
        parser.error(f'--gpus: {args.gpus} found, a whole number from 1 expected')
    return args


def main(argv: Sequence[str] | None = None) -> dict[str, RankCorrelation]:
    """Fine-tunes and reports; returns the correlations by name."""
    args = parse_args(argv)
    # As Ctrl-C does, so that the training ends with its tool.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    show = partial(print, flush=True)
    with one_line_errors(*BUILD_ERRORS):
        described = read_described(args.work_dir)
        proxy, metric = described['proxy']['metric'], described['segmentation']['metric']
        candidates = read_candidates(args.work_dir / LOG)
        ranked = rank_candidates(candidates)
        chosen = ranked if args.candidates is None else spread_over_ranking(ranked, args.candidates)
        if len(chosen) < 3:
            raise ValueError(f'{args.work_dir}: {len(chosen)} candidates to compare, at least 3 expected')
        with lock_folder(args.work_dir) as descriptor:
            trainer = Trainer(TOOLS, args.gpus, args.amp, (descriptor,), show)
            rows = run_finetunings(args.work_dir, chosen, metric, trainer, show)
        for row in rows:
            if row.reason is not None:
                show(f'candidate {row.number} is not compared, its fine-tuning failed: {row.reason}')
        paired = pair_up(candidates, rows)
        correlations = correlate(*paired, proxy, described['segmentation']['higher_is_better'])
        table = correlation_table(*paired, correlations, proxy, metric)
        (args.work_dir / 'correlation.md').write_text(table)
        picture = args.work_dir / 'correlation.png'
        correlation_picture(*paired, correlations[f'proxy: {proxy}'], proxy, metric, picture)
        print(f'\n{table}\ntable and picture: {args.work_dir / "correlation.md"}, {picture}')
    return correlations


if __name__ == '__main__':
    main()
