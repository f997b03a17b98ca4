r"""Take weights of chosen modules, layers or filters from checkpoints, and write the model that results.

What mmssl.WeightTransferHook does at the start of a training, for one who wants the file:

    python tools/transfer_weights.py CONFIG --rule source=work_dirs/rotation modules=backbone \
        --rule source=work_dirs/otsu/epoch_60.pth modules=decode_head --out start.pth
    python tools/transfer_weights.py CONFIG --from-hook --out start.pth
    python tools/transfer_weights.py --inspect work_dirs/rotation

Out come a table of what was copied, reinitialised and skipped, with the SHA-256 of the files, and with --out a
checkpoint for load_from that holds every tensor of the model of CONFIG; what no rule names is as CONFIG initialises
it. --inspect lists the modules of a checkpoint with the shapes of their tensors.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from mmengine.config import DictAction

from mmssl import __version__
from mmssl.apis.checkpoint_transfer import build_initialised_model, rule_from_options, transfer_hook_settings
from mmssl.apis.config import load_config
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.download import fetch, is_address
from mmssl.tensor_file import write_tensor_file
from mmssl.transfer.apply import apply_transfer
from mmssl.transfer.listing import checkpoint_listing
from mmssl.transfer.plan import plan_transfer
from mmssl.transfer.report import transfer_report
from mmssl.transfer.rules import parse_rules, rule_sources
from mmssl.transfer.sources import read_sources
from mmssl.transfer.targets import target_tensors

RULE_HELP = (
    'one rule; fields are source (checkpoint, work dir or address), modules or layers (1-12, 5, 1-8,13), '
    'source_modules, exclude, keep_filters, other_filters, other_modules, norm (keep, reset_statistics, reset), '
    'allow_mismatch; patterns are separated by commas, * stands for any text'
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', help='config of the model, or package::file for one of a host package')
    parser.add_argument('--rule', nargs='+', action='append', default=[], metavar='FIELD=VALUE', help=RULE_HELP)
    parser.add_argument('--from-hook', action='store_true', help='rules of the WeightTransferHook of CONFIG')
    parser.add_argument('--out', type=Path, help='checkpoint to write; without it the table is all')
    parser.add_argument('--seed', type=int, help="of the initialisation and of new filters (default: the hook's, or 0)")
    parser.add_argument('--verbose', action='store_true', help='one row a tensor')
    parser.add_argument('--inspect', metavar='FILE', help='list a checkpoint, work dir or address instead')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    args = parser.parse_args(argv)
    if args.inspect:
        if args.config or args.rule or args.from_hook or args.out:
            parser.error('--inspect goes alone, without CONFIG, --rule, --from-hook and --out')
    elif not args.config:
        parser.error('CONFIG or --inspect FILE expected')
    elif bool(args.rule) == args.from_hook:
        parser.error('--rule or --from-hook expected, one of the two')
    return args


def read(sources: list[str]) -> dict:
    """Read checkpoints, those with addresses after fetching them."""
    for source in sources:
        if is_address(source):
            fetch(source)
    return read_sources(sources)


def transfer(args: argparse.Namespace) -> None:
    """Build, plan, apply, write."""
    cfg = load_config(args.config, args.cfg_options)
    hook = transfer_hook_settings(cfg, args.config) if args.from_hook else {}
    rules = parse_rules(hook.get('rules') if args.from_hook else [rule_from_options(rule) for rule in args.rule])
    seed = hook.get('seed', 0) if args.seed is None else args.seed
    sources = read(rule_sources(rules))
    model = build_initialised_model(cfg, args.config, seed)
    entries = plan_transfer(target_tensors(model), rules, sources, seed=seed)
    apply_transfer(entries)
    print(transfer_report(entries, sources, verbose=args.verbose))
    if args.out:
        meta = {
            'mmssl_version': __version__,
            'config': args.config,
            'seed': seed,
            'rules': [{name: _plain(value) for name, value in asdict(rule).items()} for rule in rules],
            'sources': {source.path: source.sha256 for source in sources.values()},
        }
        write_tensor_file({'state_dict': model.state_dict(), 'meta': meta}, args.out)
        print(f'{len(model.state_dict())} tensors written to {args.out}')


def _plain(value: object) -> object:
    """Lists for what a config holds as lists of its own kind."""
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def main(argv: list[str] | None = None) -> None:
    """Transfer, or list."""
    args = parse_args(argv)
    with one_line_errors(*BUILD_ERRORS):
        if args.inspect:
            print(checkpoint_listing(read([args.inspect])[args.inspect]))
        else:
            transfer(args)


if __name__ == '__main__':
    main()
