"""Find lottery tickets: train, prune the small weights, go back to the early weights, train again.

    python tools/lottery_ticket.py CONFIG --rounds 3 --sparsity 0.8

Round 0 trains the config densely and stores the weights of iteration --rewind-iter. Each of the --rounds that follow
prunes among the weights that are left, by those at the end of the round before, until --sparsity is reached in the last
(each round prunes the same share of what is left); survivors go back to the stored weights, pruned weights stay zero.
Rewinding restores weights and buffers; optimiser and learning rate schedule start anew in every round, so that each is
a full training. Rounds are runs of tools/train.py, with --gpus of tools/dist_train.sh.

What comes out, in the work dir: round_K/ with config.py, ticket.pth (masks and rewind weights), log and checkpoints;
rounds.json with the numbers; and a table of sparsity, non-zero parameters and the last evaluation of each round. The
same command continues where it was interrupted, within a round from its newest checkpoint.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import DictAction
from prettytable import PrettyTable

from mmssl.apis.config import default_work_dir, load_config
from mmssl.apis.data_folders import check_data_folders
from mmssl.apis.lottery_rounds import RoundSettings, run_rounds
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.pruning.criteria import CRITERIA
from mmssl.pruning.masks import SCOPES

TOOLS = Path(__file__).resolve().parent
COLUMNS = 4  # metrics in the table, unless --metric names them


class TrainingError(ValueError):
    """A round did not end well."""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or package::file for one of a host package')
    parser.add_argument('--rounds', type=int, required=True, help='sparse trainings after the dense one')
    parser.add_argument('--sparsity', type=float, required=True, help='share of pruned weights in the last round')
    parser.add_argument('--scope', choices=SCOPES, default='layer', help='each layer alone, or all together')
    parser.add_argument('--criterion', choices=CRITERIA, default='large_final', help='what is kept')
    parser.add_argument('--modules', nargs='+', default=['backbone'], metavar='PATTERN', help='whose weights may go')
    parser.add_argument('--rewind-iter', type=int, default=0, help='iteration of round 0 that weights go back to')
    parser.add_argument('--work-dir', help='default: work_dirs/<config name>_lottery')
    parser.add_argument('--gpus', type=int, metavar='N', help='N processes, as tools/dist_train.sh starts them')
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision (needs an accelerator)')
    parser.add_argument('--metric', nargs='+', help=f'columns of the table (default: the first {COLUMNS} of the log)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    return parser.parse_args(argv)


def train_command(config: Path, work_dir: Path, resume: bool, gpus: int | None, amp: bool) -> list[str]:
    """The command line of one round."""
    start = [sys.executable, str(TOOLS / 'train.py'), str(config)]
    if gpus:
        start = ['bash', str(TOOLS / 'dist_train.sh'), str(config), str(gpus)]
    return [*start, '--work-dir', str(work_dir), *(['--resume'] if resume else []), *(['--amp'] if amp else [])]


def run_training(config: Path, work_dir: Path, resume: bool, gpus: int | None = None, amp: bool = False) -> None:
    """Trains one round in a process of its own, whose output is shown; raises TrainingError."""
    paths = [str(TOOLS.parent), *filter(None, [os.environ.get('PYTHONPATH')])]
    environment = {**os.environ, 'PYTHON': sys.executable, 'PYTHONPATH': os.pathsep.join(paths)}
    status = subprocess.run(train_command(config, work_dir, resume, gpus, amp), env=environment).returncode
    if status:
        raise TrainingError(f'{work_dir}: training ended with status {status}; the same command continues from here')


def table_of(rows: list[dict], metrics: Sequence[str] | None = None) -> str:
    """Lays out a line for each round; raises ValueError for a metric that no round has."""
    known = list(dict.fromkeys(key for row in rows for key in row['metrics']))
    for key in metrics or ():
        if key not in known:
            raise ValueError(f'--metric: {key!r} found, one of {", ".join(known) or "none (no evaluation)"} expected')
    keys = metrics or known[:COLUMNS]
    table = PrettyTable(['round', 'sparsity', 'non-zero parameters', 'of all', *keys])
    table.align = 'r'
    for row in rows:
        values = [row['metrics'].get(key) for key in keys]
        share = row['nonzero'] / row['parameters']
        numbers = ['-' if value is None else f'{value:.4g}' for value in values]
        table.add_row([row['round'], f'{row["sparsity"]:.2%}', f'{row["nonzero"]:,}', f'{share:.2%}', *numbers])
    note = f'sparsity: zeros among the {rows[0]["prunable"]:,} weights that may be pruned; round 0 is dense'
    return f'{table}\n{note}'


def main(argv: Sequence[str] | None = None) -> list[dict]:
    """Runs the rounds; returns their rows."""
    args = parse_args(argv)
    with one_line_errors(*BUILD_ERRORS):
        settings = RoundSettings(
            rounds=args.rounds,
            sparsity=args.sparsity,
            scope=args.scope,
            criterion=args.criterion,
            modules=tuple(args.modules),
            rewind_iter=args.rewind_iter,
            gpus=args.gpus,
            amp=args.amp,
        )
        settings.check()
        cfg = load_config(args.config, args.cfg_options)
        check_data_folders(cfg, ('train', 'val'))
        work_dir = Path(args.work_dir or f'{default_work_dir(args.config)}_lottery')
        rows = run_rounds(
            cfg,
            settings,
            work_dir,
            lambda config, folder, resume: run_training(config, folder, resume, args.gpus, args.amp),
            lambda line: print(line, flush=True),
        )
        print(table_of(rows, args.metric))
        print(f'numbers of all rounds: {work_dir / "rounds.json"}')
    return rows


if __name__ == '__main__':
    main()
