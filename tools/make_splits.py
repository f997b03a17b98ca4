"""Draw label fractions: text lists of the images that keep their masks, and of those that are treated as unlabelled.

Each fraction gets a folder, ``DIR/1of8-seed0`` or ``DIR/count100-seed0``, with ``labeled.txt`` and ``unlabeled.txt``
(one name a line, as ``ann_file`` takes them, sorted) and ``split.json`` (counts, checksums, how it was drawn).

The number of labelled images is fraction x images, rounded half up: 1/8 of 367 is 46, 1/8 of 2975 is 372. A name's
rank is the SHA-256 of seed and name, so that the same seed gives the same files on every machine and with every
version of the libraries, and a new image does not reorder the others. Several fractions are drawn independently of
each other; with ``--nested`` every smaller one is a subset of every larger one.

Example:
    python tools/make_splits.py configs/_base_/datasets/camvid_192x256.py --fraction 1/8 --fraction 1/4 \
        --seed 0 --nested --out data/CamVid/splits
"""

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path, PurePath

from mmengine.registry import DATASETS, init_default_scope

import mmssl.registry  # noqa: F401  lets the config name parts as mmssl.X
from mmssl.apis.config import load_config
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.atomic_file import write_atomically
from mmssl.datasets.folder import list_stems
from mmssl.datasets.split_list import IMAGE_SUFFIXES, first_few, rank_names, strip_suffix
from mmssl.errors import DataError


def parse_fraction(text: str) -> Fraction:
    """Read ``1/8`` or ``0.125``; it must lie in (0, 1]."""
    try:
        fraction = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f'--fraction {text}: not a number; expected for example 1/8 or 0.125') from None
    if not 0 < fraction <= 1:
        raise ValueError(f'--fraction {text}: expected more than 0 and at most 1')
    return fraction


def labeled_count(total: int, fraction: Fraction) -> int:
    """Number of labelled images: ``total * fraction`` rounded half up, in exact arithmetic.

    Raises:
        ValueError: The result is 0.
    """
    count = (2 * total * fraction.numerator + fraction.denominator) // (2 * fraction.denominator)
    if count < 1:
        raise ValueError(f'--fraction {fraction}: {fraction} of {total} images is none; expected at least one image')
    return count


def draw(names: Sequence[str], count: int, key: str) -> tuple[list[str], list[str]]:
    """Choose the ``count`` names with the smallest SHA-256 of ``key/name``.

    Args:
        names (Sequence[str]): All names, each once.
        count (int): How many are labelled.
        key (str): Seed and, for independent draws, what else tells them apart.

    Returns:
        tuple[list[str], list[str]]: Labelled and unlabelled names, each sorted.
    """
    ranked = rank_names(names, key)
    return sorted(ranked[:count]), sorted(ranked[count:])


def names_of_folder(folder: str) -> list[str]:
    """Names of the images in a folder and its subfolders, without suffix."""
    suffixes = (*IMAGE_SUFFIXES, *(suffix.upper() for suffix in IMAGE_SUFFIXES))
    return list(list_stems(folder, suffixes))


def names_of_config(path: str) -> list[str]:
    """Names of the training images of a config: the path below the image folder, without the dataset's suffix."""
    cfg = load_config(path)
    if 'train_dataloader' not in cfg:
        raise ValueError(f'{path}: no train_dataloader; expected the config of a dataset with training images')
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    dataset_cfg = cfg.train_dataloader.dataset
    while 'dataset' in dataset_cfg:  # RepeatDataset and other wrappers
        dataset_cfg = dataset_cfg.dataset
    dataset = DATASETS.build({**dataset_cfg, 'pipeline': [], 'lazy_init': False})
    folder = dataset.data_prefix.get('img_path') or dataset.data_prefix.get('img') or ''
    suffixes = getattr(dataset, 'img_suffixes', None) or [getattr(dataset, 'img_suffix', '')]
    return [_stem(dataset.get_data_info(i)['img_path'], folder, suffixes) for i in range(len(dataset))]


def _stem(path: str, folder: str, suffixes: Sequence[str]) -> str:
    relative = PurePath(path)
    if folder and relative.is_relative_to(folder):
        relative = relative.relative_to(folder)
    name = relative.as_posix()
    stem = strip_suffix(name, suffixes)
    return stem if stem != name else relative.with_suffix('').as_posix()


def write_split(folder: Path, labeled: Sequence[str], unlabeled: Sequence[str], facts: dict) -> dict:
    """Write the two lists and ``split.json``, read them again and check them.

    Args:
        folder (Path): Folder of this split; it is made when it does not exist.
        labeled (Sequence[str]): Names that keep their masks.
        unlabeled (Sequence[str]): All others.
        facts (dict): What to store in ``split.json`` besides the counts and checksums.

    Returns:
        dict: The content of ``split.json``.

    Raises:
        DataError: The folder holds another split, or what was read again is not what was to be written.
    """
    contents = {'labeled.txt': _lines(labeled), 'unlabeled.txt': _lines(unlabeled)}
    for file, content in contents.items():
        if (folder / file).exists() and (folder / file).read_bytes() != content:
            raise DataError(f'{folder / file}: exists with other names; expected another --out, or remove it first')
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        write_atomically(folder / file, content)
    _check(folder, {*labeled, *unlabeled}, len(labeled))
    report = {**facts, 'total': len(labeled) + len(unlabeled)}
    for file, names in (('labeled.txt', labeled), ('unlabeled.txt', unlabeled)):
        report[file] = {'count': len(names), 'sha256': hashlib.sha256((folder / file).read_bytes()).hexdigest()}
    write_atomically(folder / 'split.json', (json.dumps(report, indent=2) + '\n').encode())
    return report


def _check(folder: Path, names: set[str], count: int) -> None:
    labeled, unlabeled = (
        (folder / file).read_text(encoding='utf-8').splitlines() for file in ('labeled.txt', 'unlabeled.txt')
    )
    if len(labeled) != count or {*labeled, *unlabeled} != names or len(labeled) + len(unlabeled) != len(names):
        raise DataError(f'{folder}: the lists that were read again are not disjoint and covering; is the disk full?')


def _lines(names: Iterable[str]) -> bytes:
    return ''.join(f'{name}\n' for name in names).encode()


def make_splits(
    source: str, fractions: Sequence[str], counts: Sequence[int], seed: int, nested: bool, out: str | Path
) -> list[dict]:
    """Draw and write all splits; the arguments are those of the command line.

    Returns:
        list[dict]: The content of each ``split.json``, fractions first.
    """
    names = names_of_config(source) if source.endswith('.py') or '::' in source else names_of_folder(source)
    if not names:
        raise DataError(f'{source}: no images there')
    strange = [name for name in names if '\n' in name or name != name.strip()]
    if strange:
        raise DataError(f'{source}: {len(strange)} names that a list cannot hold ({first_few(strange)})')
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f'{source}: {len(twice)} images are named twice ({first_few(twice)})')

    wanted: dict[str, int] = {}
    for text in fractions:
        fraction = parse_fraction(text)
        wanted[f'{fraction.numerator}of{fraction.denominator}'] = labeled_count(len(names), fraction)
    for count in counts:
        if not 1 <= count <= len(names):
            raise ValueError(f'--count {count}: expected 1 to {len(names)}, the number of images')
        wanted[f'count{count}'] = count

    reports = []
    for title, count in wanted.items():
        labeled, unlabeled = draw(names, count, f'{seed}' if nested else f'{seed}/{title}')
        facts = {'source': source, 'split': title, 'seed': seed, 'nested': nested}
        reports.append(write_split(Path(out) / f'{title}-seed{seed}', labeled, unlabeled, facts))
    return reports


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, write the splits, print counts and checksums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='CONFIG_OR_FOLDER', help='config (its training images) or folder of images')
    parser.add_argument('--fraction', action='append', default=[], help='labelled part, as 1/8 or 0.125; repeatable')
    parser.add_argument('--count', action='append', default=[], type=int, help='labelled images; repeatable')
    parser.add_argument('--seed', type=int, required=True, help='the same seed gives the same files')
    parser.add_argument('--nested', action='store_true', help='smaller splits are subsets of larger ones')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder that gets one folder a split')
    args = parser.parse_args(argv)
    if not args.fraction and not args.count:
        parser.error('expected --fraction or --count')
    with one_line_errors(*BUILD_ERRORS):
        for report in make_splits(args.source, args.fraction, args.count, args.seed, args.nested, args.out):
            print(f'{args.out}/{report["split"]}-seed{report["seed"]}: {report["total"]} images')
            for file in ('labeled.txt', 'unlabeled.txt'):
                print(f'  {file:<13} {report[file]["count"]:>6}  sha256 {report[file]["sha256"]}')


if __name__ == '__main__':
    main()
