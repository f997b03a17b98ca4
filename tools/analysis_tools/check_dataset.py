"""Read every file of every dataset of a config and list all that is wrong with the data.

    python tools/analysis_tools/check_dataset.py configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py
    python tools/analysis_tools/check_dataset.py CONFIG --part train --workers 8 --out report.json

Looked for: empty lists; lines that are blank, double or lead out of the folder; images and masks that are missing,
broken or of two sizes; masks in colour or with ids without a class; images that are trained and evaluated on, or
labelled and unlabelled; classes that never occur; and in COCO's annotations categories that the dataset does not know,
annotations without an image, boxes outside of it, and broken masks. A line each, then a table, and the share of each
class. The exit status is 1 where there is an error, 0 with warnings alone.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import DictAction
from prettytable import PrettyTable

from mmssl.apis.config import ConfigError, load_config
from mmssl.apis.dataset_audit import AuditedDataset, audit_config, kinds
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.atomic_file import atomic_file
from mmssl.datasets.audit import ERROR, WARNING

PARTS = ('train', 'val', 'test')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or package::file for one of a host package')
    parser.add_argument('--part', nargs='+', choices=PARTS, default=PARTS, help='which dataloaders (default: all)')
    parser.add_argument('--limit', type=int, default=50, help='lines a dataset, 0 for all (default: %(default)s)')
    parser.add_argument('--workers', type=int, help='processes that read (default: one a core, at most 8)')
    parser.add_argument('--out', type=Path, metavar='FILE', help='all findings, sizes and class shares as JSON')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    return parser.parse_args(argv)


def finding_lines(audited: Sequence[AuditedDataset], limit: int) -> list[str]:
    """A line for each finding, errors first, at most ``limit`` a dataset (0: all)."""
    lines = []
    for each in audited:
        ordered = sorted(each.findings, key=lambda finding: finding.level != ERROR)
        shown = ordered[:limit] if limit else ordered
        lines += [f'{finding.level:7}  {each.where}  {finding.text}' for finding in shown]
        if len(shown) < len(ordered):
            lines.append(f'         {each.where}  {len(ordered) - len(shown)} more; --limit 0 shows all')
    return lines


def summary_table(audited: Sequence[AuditedDataset]) -> str:
    """A row a dataset."""
    table = PrettyTable(['dataset', 'samples', 'with mask', 'errors', 'warnings'], align='r')
    table.align['dataset'] = 'l'
    for each in audited:
        masks = sum(bool(info.get('seg_map_path')) for info in each.infos) if each.counts is not None else 0
        table.add_row([each.where, len(each), masks, each.number(ERROR), each.number(WARNING)])
    return table.get_string()


def class_shares(each: AuditedDataset) -> dict[str, float]:
    """Share of each class in the labelled pixels of a dataset; empty without masks."""
    if each.counts is None or not each.counts.any():
        return {}
    names = each.dataset.metainfo.get('classes') or range(len(each.counts))
    return {str(name): float(share) for name, share in zip(names, each.counts / each.counts.sum(), strict=True)}


def class_table(audited: Sequence[AuditedDataset]) -> str:
    """Percent of the labelled pixels, a column a dataset with masks; empty without any."""
    shares = {each.where: class_shares(each) for each in audited}
    shares = {where: found for where, found in shares.items() if found}
    if not shares:
        return ''
    names = list(dict.fromkeys(name for found in shares.values() for name in found))
    table = PrettyTable()
    table.add_column('share of labelled pixels / %', names, align='l')
    for where, found in shares.items():
        table.add_column(where, [f'{100 * found[name]:.3f}' if name in found else '-' for name in names], align='r')
    return table.get_string()


def report_of(audited: Sequence[AuditedDataset], config: str) -> dict:
    """What the JSON file holds."""
    datasets = {
        each.where: {
            'samples': len(each),
            'errors': each.number(ERROR),
            'warnings': each.number(WARNING),
            'class_shares': class_shares(each),
        }
        for each in audited
    }
    findings = [
        {'level': found.level, 'kind': found.kind, 'dataset': each.where, 'text': found.text}
        for each in audited
        for found in each.findings
    ]
    return {'config': config, 'kinds': dict(kinds(audited)), 'datasets': datasets, 'findings': findings}


def main(argv: list[str] | None = None) -> int:
    """Audit, print, write; returns the exit status."""
    args = parse_args(argv)
    with one_line_errors(*BUILD_ERRORS):
        if args.limit < 0 or (args.workers is not None and args.workers < 1):
            raise ConfigError(f'--limit {args.limit}, --workers {args.workers}; expected 0 or more, 1 or more')
        cfg = load_config(args.config, args.cfg_options)
        workers = args.workers or min(8, len(os.sched_getaffinity(0)))
        audited = audit_config(cfg, args.part, workers)
        if not audited:
            raise ConfigError(f'{args.config}: no dataloader of {", ".join(args.part)}')
        for line in finding_lines(audited, args.limit):
            print(line)
        print('\n'.join(text for text in (summary_table(audited), class_table(audited)) if text))
        if args.out:
            with atomic_file(args.out) as partial:
                partial.write_text(json.dumps(report_of(audited, args.config), indent=2))
            print(f'report written to {args.out}')
    errors, warnings = (sum(each.number(level) for each in audited) for level in (ERROR, WARNING))
    found = ', '.join(f'{number} {kind}' for kind, number in kinds(audited).most_common())
    print(f'{errors} errors, {warnings} warnings{f" ({found})" if found else ""}')
    return 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main())
