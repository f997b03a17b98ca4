"""Publish a checkpoint: its weights and class names alone, with the hash of the file in the name.

What a training needs to go on is left out (optimiser, message hub, config with its paths). The files load by
torch.load(weights_only=True) without an allow-list, with load_from, init_cfg, transfer rules and the tools, which check
the hash in the name. Of several networks in a checkpoint --network names one; tools/model_converters/semi_supervised.py
takes it out without publishing it.

Example:
    python tools/misc/publish_model.py work_dirs/erfnet/iter_600.pth published/erfnet
    python tools/misc/publish_model.py work_dirs/classmix/iter_700.pth teacher --network teacher --format both
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.publishing import NETWORKS, SUFFIXES, publish


def main(argv: Sequence[str] | None = None) -> None:
    """Read, choose, write, say what was written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path, help='checkpoint of a training, or any file of weights')
    parser.add_argument('target', type=Path, help='folder and stem of the file: the hash and a suffix are put to it')
    parser.add_argument('--network', choices=NETWORKS, help='of several: which; backbone: it alone; whole: everything')
    parser.add_argument('--format', choices=(*SUFFIXES, 'both'), default='pth', help='default: pth')
    args = parser.parse_args(argv)
    formats = tuple(SUFFIXES) if args.format == 'both' else (args.format,)
    with one_line_errors(*BUILD_ERRORS):
        for path in publish(args.checkpoint, args.target, formats, args.network):
            print(f'{path}: {path.stat().st_size:,} bytes')


if __name__ == '__main__':
    main()
