"""Convert the labels of SYNTHIA-RAND-CITYSCAPES to masks of Cityscapes' 19 training ids.

Source: ROOT/GT/LABELS/*.png, three channels of 16 bits with the class in the red one, and ROOT/RGB/*.png of the same
names (docs/data.md says where they are). Target: OUT/*_labelTrainIds.png, 8 bits, ids 0 to 18 and 255 where ignored;
terrain, truck and train do not occur.

Sources are never changed. A run that was stopped goes on where it was. Labels that are damaged, of another size than
their image, or without one are left out and named, and the exit status is then 1; OUT/usable.txt lists the names that
the dataset can use (its ann_file), OUT/left_out.txt the others.

Example:
    python tools/dataset_converters/synthia.py data/synthia --workers 8
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.datasets.label_conversion import convert_labels
from mmssl.datasets.synthia import read_synthia_label


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, convert, print the counts; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, metavar='ROOT', help='folder of RAND_CITYSCAPES, for example data/synthia')
    parser.add_argument('--out', type=Path, metavar='OUT', help='folder of the masks (default: ROOT/GT/LABELS)')
    parser.add_argument(
        '--workers', type=int, default=min(8, os.cpu_count() or 1), help='threads (default: %(default)s)'
    )
    parser.add_argument('--overwrite', action='store_true', help='make masks again that exist')
    args = parser.parse_args(argv)
    labels = args.root / 'GT' / 'LABELS'
    with one_line_errors(*BUILD_ERRORS):
        report = convert_labels(
            args.root / 'RGB',
            labels,
            args.out or labels,
            read_synthia_label,
            workers=args.workers,
            overwrite=args.overwrite,
        )
    print('\n'.join(report.lines()))
    return 0 if report.complete else 1


if __name__ == '__main__':
    raise SystemExit(main())
