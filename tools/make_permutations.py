"""Choose permutations for the jigsaw task and write them to a file for ``JigsawTarget(permutations=FILE)``.

Each next permutation is as far as possible, in Hamming distance, from those chosen before. The same count, seed and
number of pieces give the same file.

Example:
    python tools/make_permutations.py --count 500 --seed 0 --out work_dirs/9_pieces_500.txt
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.datasets.transforms.pretext.permutations import (
    FOLDER,
    hamming_distances,
    save_permutations,
    select_permutations,
)


def describe(distances: np.ndarray) -> tuple[str, str]:
    """Minimum and mean of distances as text; ``-`` for none."""
    return (str(distances.min()), f'{distances.mean():.4f}') if len(distances) else ('-', '-')


def main() -> None:
    """Choose, write, print the distances."""
    parser = argparse.ArgumentParser(
        description='Choose permutations that are far from each other for the jigsaw task, and write them to a file '
        'with one a line; prints how many pairs have which Hamming distance.'
    )
    parser.add_argument('--count', type=int, required=True, help='how many: the classes of the task')
    parser.add_argument('--seed', type=int, default=0, help='of the first one and of ties (default: %(default)s)')
    parser.add_argument('--pieces', type=int, default=9, help='pieces of a puzzle (default: %(default)s)')
    parser.add_argument('--out', type=Path, help='file to write (default: PIECES_pieces_COUNT.txt in this folder)')
    args = parser.parse_args()
    with one_line_errors(*BUILD_ERRORS):
        permutations = select_permutations(args.count, args.seed, args.pieces)
        distances = hamming_distances(permutations)
        minimum, mean = describe(distances)
        path = args.out or Path(f'{args.pieces}_pieces_{args.count}.txt')
        comments = [
            f'{args.count} permutations of {args.pieces} pieces, seed {args.seed}',
            f'Hamming distance: minimum {minimum}, mean {mean}',
            f'python tools/make_permutations.py --count {args.count} --seed {args.seed} --pieces {args.pieces}',
        ]
        save_permutations(path, permutations, comments)
    table = Table('Hamming distance', 'pairs', title=f'minimum {minimum}, mean {mean}')
    for distance, pairs in enumerate(np.bincount(distances)):
        if pairs:
            table.add_row(str(distance), str(pairs))
    Console().print(table)
    shipped = ' (permutations=N finds it)' if path.resolve().parent == FOLDER else ''
    print(f'{args.count} permutations written to {path}{shipped}')


if __name__ == '__main__':
    main()
