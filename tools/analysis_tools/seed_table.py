"""Sum up trainings with several seeds: mean and spread of the last validation of each recipe, as a Markdown table.

    python tools/analysis_tools/seed_table.py work_dirs/camvid/* --keys mIoU teacher/mIoU

Runs of one config are the seeds of one recipe. Values are mean ± sample standard deviation (of the last validation,
whatever the best one was). Differences are to --baseline, by default the recipe of the first run: for each seed that
both have, in the order of the seeds. Minutes are those of one training, without validations.
"""

import argparse
from pathlib import Path

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.seed_table import RecipeSummary, group_seeds, read_seed_run


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'runs', nargs='+', metavar='WORK_DIR', help='of tools/train.py, one for each seed of each recipe'
    )
    parser.add_argument('--keys', nargs='+', default=['mIoU'], help='of the validations; the first one is compared')
    parser.add_argument('--baseline', metavar='RECIPE', help='name of a config file, without .py')
    parser.add_argument('--out', type=Path, help='file for the table, beside printing it')
    return parser.parse_args(argv)


def table_of(summaries: list[RecipeSummary], baseline: RecipeSummary, keys: list[str]) -> str:
    """Lays the recipes out as a Markdown table, one line each."""
    lines = [
        f'| recipe | seeds | {" | ".join(keys)} | {keys[0]} - {baseline.recipe}, by seed | minutes |',
        '|---' * (len(keys) + 4) + '|',
    ]
    for summary in summaries:
        gains = (
            ''
            if summary is baseline
            else ', '.join(f'{gain:+.1f}' for gain in summary.gains(baseline, keys[0]).values())
        )
        seeds = ', '.join(map(str, summary.seeds))
        cells = [summary.recipe, seeds, *(_value(summary, key) for key in keys), gains, f'{summary.seconds / 60:.1f}']
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def _value(summary: RecipeSummary, key: str) -> str:
    if key not in summary.values:
        return ''
    deviation = summary.deviation(key)
    return f'{summary.mean(key):.1f}' + ('' if deviation is None else f' ± {deviation:.1f}')


def main(argv: list[str] | None = None) -> list[RecipeSummary]:
    """Reads, prints and writes; returns the recipes."""
    args = parse_args(argv)
    summaries = group_seeds([read_seed_run(run, args.keys) for run in args.runs])
    named = {summary.recipe: summary for summary in summaries}
    if args.baseline and args.baseline not in named:
        raise ValueError(f'--baseline {args.baseline}: not among the runs, which are of {", ".join(named)}')
    baseline = named[args.baseline] if args.baseline else summaries[0]
    lacking = [summary.recipe for summary in summaries if args.keys[0] not in summary.values]
    if lacking:
        raise ValueError(f'--keys {args.keys[0]}: not in the validations of {", ".join(lacking)}')
    table = table_of(summaries, baseline, args.keys)
    print(table, end='')
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(table)
    return summaries


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS):
        main()
