"""Sets of permutations that are far from each other, and the files that hold them."""

import math
from itertools import permutations as all_orders
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmssl.errors import DataError, DataNotFoundError

FOLDER = Path(__file__).resolve().parents[2] / 'permutations'
"""The files that come with mmssl: ``9_pieces_100.txt``, ``9_pieces_1000.txt``."""

MAX_PIECES = 9  # 10 pieces have 3.6 million orders


def hamming_distances(permutations: np.ndarray) -> np.ndarray:
    """Number of places at which two permutations differ, for every pair.

    Args:
        permutations: (N, pieces) integers.

    Returns:
        (N * (N - 1) / 2,) int64, 0 or 2..pieces, the pairs (i, j) with i < j in row-major order.
    """
    rows = np.asarray(permutations)
    return np.concatenate([(rows[i + 1 :] != rows[i]).sum(1) for i in range(len(rows))] or [np.zeros(0, np.int64)])


def select_permutations(count: int, seed: int, pieces: int = 9) -> np.ndarray:
    """Choose permutations that are far from each other, one after the other.

    Source: the greedy choice of M. Noroozi and P. Favaro, "Unsupervised Learning of Visual Representations by Solving
    Jigsaw Puzzles", ECCV 2016, section 4 (S0, section 3.2.3).

    Deviations: each next permutation has the largest *minimum* distance to those chosen, and of these the largest
    *mean* distance, where the paper looks at the mean alone; the seed decides among the rest. The mean stays the same
    (100 of 9 pieces: 8.08 either way), but the nearest two differ at 6 places in place of 2, which is what keeps the
    task free of pairs that only two similar pieces tell apart.

    Args:
        count: how many to choose, 1 to ``pieces!``.
        seed: of numpy's generator, for the first one and for ties.
        pieces: length of a permutation, 2 to 9.

    Returns:
        (count, pieces) int64, each row a permutation of 0..pieces-1, in the order of the choice.

    Raises:
        ValueError: no such number of permutations or pieces, or a negative seed.
    """
    if not 2 <= pieces <= MAX_PIECES:
        raise ValueError(f'{pieces} pieces asked for, expected 2 to {MAX_PIECES}')
    total = math.factorial(pieces)
    if not 1 <= count <= total:
        raise ValueError(f'{count} permutations of {pieces} pieces asked for, expected 1 to {total}')
    if seed < 0:
        raise ValueError(f'seed {seed} found, expected a whole number from 0 up')
    orders = np.array(list(all_orders(range(pieces))), dtype=np.uint8)
    # Ties go to the first: the shuffle makes that a random one.
    orders = np.random.default_rng(seed).permutation(orders)
    places = np.ascontiguousarray(orders.T)
    nearest = np.full(total, pieces, dtype=np.int64)
    summed = np.zeros(total, dtype=np.int64)
    chosen = [0]
    with tqdm(total=count, initial=1, desc='permutations', disable=count < 2000) as progress:
        while len(chosen) < count:
            distance = (places != places[:, chosen[-1], None]).sum(0, dtype=np.uint8)
            np.minimum(nearest, distance, out=nearest)
            summed += distance
            # The sum is below pieces * count, so that it decides among equal minima only; chosen ones have minimum 0.
            chosen.append(int((nearest * (pieces * count) + summed).argmax()))
            progress.update()
    return orders[chosen].astype(np.int64)


def load_permutations(source: int | str | Path, pieces: int = 9, *, count: int | None = None) -> np.ndarray:
    """Read a file of permutations: one a line, numbers from 0 separated by white space, ``#`` begins a comment.

    Args:
        source: number of permutations of a file that comes with mmssl, or the path of a file.
        pieces: length of a permutation.
        count: how many the file must hold; None for any number, or for the number that ``source`` is.

    Returns:
        (N, pieces) int64, in the order of the lines.

    Raises:
        DataNotFoundError: there is no such file.
        DataError: it is not text, has no permutation, another number of them, a line that is none, or one twice.
    """
    if isinstance(source, int):
        path, count = FOLDER / f'{pieces}_pieces_{source}.txt', source if count is None else count
        if not path.is_file():
            known = sorted(int(name.stem.split('_')[-1]) for name in FOLDER.glob(f'{pieces}_pieces_*.txt'))
            raise DataNotFoundError(
                f'no file with {source} permutations of {pieces} pieces comes with mmssl, expected one of {known} or '
                'the path of a file made by tools/make_permutations.py'
            )
    else:
        path = Path(source)
        if not path.is_file():
            raise DataNotFoundError(f'{path}: the file of permutations does not exist')
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError:
        raise DataError(f'{path}: not a text file; expected one permutation of 0..{pieces - 1} a line') from None
    line_of: dict[tuple[int, ...], int] = {}
    for number, line in enumerate(lines, start=1):
        words = line.partition('#')[0].split()
        if not words:
            continue
        permutation = tuple(int(word) if word.isdecimal() else -1 for word in words)
        if sorted(permutation) != list(range(pieces)):
            raise DataError(f'{path}:{number}: found {" ".join(words)!r}, expected each of 0..{pieces - 1} once')
        first = line_of.setdefault(permutation, number)
        if first != number:
            raise DataError(f'{path}:{number}: the permutation of line {first} again, expected each once')
    if not line_of:
        raise DataError(f'{path}: no permutation in the file, expected one of 0..{pieces - 1} a line')
    if count is not None and len(line_of) != count:
        raise DataError(f'{path}: {len(line_of)} permutations found, {count} expected')
    return np.array(list(line_of), dtype=np.int64)


def save_permutations(path: str | Path, permutations: np.ndarray, comments: list[str]) -> None:
    """Write a file that :func:`load_permutations` reads.

    Args:
        path: the file; its folder is made.
        permutations: (N, pieces) integers.
        comments: lines for its head, without ``#``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = ''.join(f'# {comment}\n' for comment in comments)
    path.write_text(head + ''.join(' '.join(map(str, row)) + '\n' for row in np.asarray(permutations).tolist()))
