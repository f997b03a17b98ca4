"""Write procedural street scenes as a folder in the layout of CamVid, with instances and COCO annotations.

``OUT/{train,val}/*.png`` are the pictures, ``OUT/{train,val}annot/*.png`` the masks with ids 0..10 and 11 for void,
``OUT/{train,val}instances/*.png`` 16-bit instance numbers (0 for none), ``OUT/annotations/instances_{train,val}.json``
the cars, pedestrians and bicyclists with run-length masks, and ``OUT/{train,val}.txt`` the names. ``CamVidDataset``
reads the folder, mmdet's ``CocoDataset`` the json. The scenes are those of ``StreetScenesDataset`` with the same style,
seed and size; a second run writes the same bytes.

Example:
    python tools/dataset_converters/street_scenes.py --out data/streets --style photo --num-train 367 --num-val 101
"""

import argparse
import json
import re
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.datasets.camvid import CamVidDataset
from mmssl.datasets.rendering import COUNTABLE, IGNORED, STYLES, check_request, render_street_scene
from mmssl.datasets.street_scenes import SPLIT_STARTS, scene_index, scene_name
from mmssl.errors import DataError

VOID = 11
CATEGORIES = [{'id': i, 'name': CamVidDataset.METAINFO['classes'][c]} for i, c in enumerate(COUNTABLE, start=1)]
OURS = re.compile(r'((game|photo)_\d{6,}\.png|instances_(train|val)\.json|(train|val)\.txt)')


def prepare_folder(out: Path, overwrite: bool) -> None:
    """Make an empty target.

    With ``overwrite`` the files of an earlier run are removed; a folder that holds anything else is refused.

    Args:
        out (Path): The target.
        overwrite (bool): Whether files of an earlier run may be removed.

    Raises:
        DataError: The target is a file, is not empty, or holds files that this program did not write.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f'--out {out}: found a file, expected a folder')
    files = sorted(path for path in out.rglob('*') if not path.is_dir()) if out.exists() else []
    if files and not overwrite:
        raise DataError(f'--out {out}: found {len(files)} files, expected an empty folder (or pass --overwrite)')
    foreign = [path for path in files if not OURS.fullmatch(path.name)]
    if foreign:
        raise DataError(f'--out {out}: found {foreign[0].relative_to(out)}, which is no street scene; not overwritten')
    for path in files:
        path.unlink()


def annotate(semantic: np.ndarray, instances: np.ndarray) -> list[dict]:
    """COCO annotations of a scene, without their ids.

    Args:
        semantic (np.ndarray): (H, W) uint8, classes.
        instances (np.ndarray): (H, W) int32, 0 for none.

    Returns:
        list[dict]: ``category_id``, ``segmentation`` (run lengths, compressed), ``area``, ``bbox`` (x, y, width,
        height; pixels) and ``iscrowd`` 0, in the order of the instance numbers.
    """
    found = []
    for number in range(1, int(instances.max()) + 1):
        mask = instances == number
        rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
        label = int(semantic.ravel()[np.argmax(mask)])
        found.append(
            {
                'category_id': 1 + COUNTABLE.index(label),
                'segmentation': {'size': list(rle['size']), 'counts': rle['counts'].decode('ascii')},
                'area': int(coco_mask.area(rle)),
                'bbox': [float(value) for value in coco_mask.toBbox(rle)],
                'iscrowd': 0,
            }
        )
    return found


def write_scene(number: int, out: Path, split: str, seed: int, size: tuple[int, int], style: str) -> list[dict]:
    """Render and write one scene.

    Args:
        number (int): Number of the scene in its split.
        out (Path): The target folder.
        split (str): 'train' or 'val'.
        seed (int): Number of the collection.
        size (tuple[int, int]): Height and width, pixels.
        style (str): 'game' or 'photo'.

    Returns:
        list[dict]: See :func:`annotate`.

    Raises:
        OSError: A file cannot be written.
    """
    cv2.setNumThreads(0)
    scene = render_street_scene(seed, scene_index(split, number), size, style)
    name = scene_name(style, number) + '.png'
    labels = np.where(scene.semantic == IGNORED, np.uint8(VOID), scene.semantic)
    for kind, array in (('', scene.image), ('annot', labels), ('instances', scene.instances.astype(np.uint16))):
        (out / f'{split}{kind}' / name).write_bytes(cv2.imencode('.png', array)[1].tobytes())
    return annotate(scene.semantic, scene.instances)


def write_split(
    out: Path, split: str, count: int, seed: int, size: tuple[int, int], style: str, pool: Pool | None = None
) -> int:
    """Write one split.

    Args:
        out (Path): The target folder.
        split (str): 'train' or 'val'.
        count (int): Number of scenes.
        seed (int): Number of the collection.
        size (tuple[int, int]): Height and width, pixels.
        style (str): 'game' or 'photo'.
        pool (Pool, optional): Processes to share the work; the files do not depend on it.

    Returns:
        int: Number of instances in the json.

    Raises:
        OSError: A file cannot be written.
    """
    for kind in ('', 'annot', 'instances'):
        (out / f'{split}{kind}').mkdir(parents=True, exist_ok=True)
    names = [scene_name(style, number) for number in range(count)]
    images, annotations = [], []
    work = partial(write_scene, out=out, split=split, seed=seed, size=size, style=style)
    scenes = pool.imap(work, range(count), chunksize=8) if pool else map(work, range(count))
    for number, found in enumerate(tqdm(scenes, total=count, desc=f'{style} {split}', unit='scene')):
        images.append({'id': number + 1, 'file_name': names[number] + '.png', 'height': size[0], 'width': size[1]})
        for entry in found:
            annotations.append({'id': len(annotations) + 1, 'image_id': number + 1, **entry})
    (out / 'annotations').mkdir(exist_ok=True)
    text = json.dumps({'images': images, 'annotations': annotations, 'categories': CATEGORIES})
    (out / 'annotations' / f'instances_{split}.json').write_text(text, encoding='utf-8')
    (out / f'{split}.txt').write_text(''.join(name + '\n' for name in names), encoding='utf-8')
    return len(annotations)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, write the splits, print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', required=True, type=Path, metavar='DIR', help='for example data/streets')
    parser.add_argument('--style', choices=STYLES, default='photo', help='appearance (default: photo)')
    parser.add_argument('--num-train', type=int, default=367, help='scenes in train (default: 367, as CamVid)')
    parser.add_argument('--num-val', type=int, default=101, help='scenes in val (default: 101, as CamVid)')
    parser.add_argument('--size', type=int, nargs=2, default=(240, 320), metavar=('HEIGHT', 'WIDTH'), help='pixels')
    parser.add_argument('--seed', type=int, default=0, help='number of the collection (default: 0)')
    parser.add_argument('--workers', type=int, default=0, help='processes beside this one (default: 0)')
    parser.add_argument('--overwrite', action='store_true', help='replace the files of an earlier run')
    args = parser.parse_args(argv)
    counts = dict(zip(SPLIT_STARTS, (args.num_train, args.num_val), strict=True))
    with one_line_errors(*BUILD_ERRORS):
        for option in ('num_train', 'num_val', 'workers'):
            if getattr(args, option) < 0:
                raise ValueError(f'--{option.replace("_", "-")} is {getattr(args, option)}, expected at least 0')
        if not any(counts.values()):
            raise ValueError('--num-train and --num-val are both 0, expected a scene to write')
        size = check_request(args.seed, 0, args.size, args.style)
        prepare_folder(args.out, args.overwrite)
        with get_context().Pool(args.workers) if args.workers else nullcontext() as pool:
            for split, count in counts.items():
                if count:
                    found = write_split(args.out, split, count, args.seed, size, args.style, pool)
                    print(f'{args.out / split}: {count} scenes with {found} instances')


if __name__ == '__main__':
    main()
