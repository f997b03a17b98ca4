"""Draw disjoint parts of COCO, or of any data with a json of COCO's form, and count the objects of each class in them.

``OUT/instances_<part>.json`` are annotation files as mmdet's ``CocoDataset`` reads them; the images stay where they
are. ``OUT/subset.json`` has counts, checksums and how it was drawn. The rank of an image is the SHA-256 of seed and
file name: the first part takes the first images, the next part those behind. So the same seed gives the same parts on
every machine, and one more part does not change those before it. Images keep their order in a part.

Example:
    python tools/dataset_converters/coco_subset.py data/coco/annotations/instances_train2017.json \
        --part train=20000 --part val=5000 --part test=5000 --seed 0 --images data/coco/train2017 \
        --out data/coco/annotations/subset
"""

import argparse
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.datasets.label_conversion import write_atomically
from mmssl.datasets.split_list import first_few, rank_names
from mmssl.errors import DataError, DataNotFoundError
from mmssl.transfer.text_table import text_table


def parse_parts(texts: Sequence[str]) -> dict[str, int]:
    """Read ``train=20000``.

    Args:
        texts (Sequence[str]): One a part.

    Returns:
        dict[str, int]: Names and numbers of images, in their order.

    Raises:
        ValueError: Another form, a number below 1, a name twice.
    """
    parts: dict[str, int] = {}
    for text in texts:
        match = re.fullmatch(r'([A-Za-z0-9_-]+)=([0-9]+)', text)
        if not match or int(match[2]) < 1:
            raise ValueError(f'--part {text}: expected a name and a number of images, as in train=20000')
        if match[1] in parts:
            raise ValueError(f'--part {text}: the part {match[1]} is named twice')
        parts[match[1]] = int(match[2])
    return parts


def read_annotations(path: Path) -> dict:
    """Read an annotation file of COCO's form.

    Args:
        path (Path): The json.

    Returns:
        dict: Its content, with at least one image, and with images and categories that each annotation knows.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It is not json or not of this form.
    """
    if not path.is_file():
        raise DataNotFoundError(f'{path}: the annotation file does not exist')
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f'{path}: not json ({error})') from None
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f'{path}: no list {key!r}; expected the annotations of objects in the form of COCO')
    if not content['images']:
        raise DataError(f'{path}: the list of images is empty')
    for key, field in (('images', 'id'), ('images', 'file_name'), ('categories', 'id')):
        twice = [value for value, count in Counter(entry[field] for entry in content[key]).items() if count > 1]
        if twice:
            shown = first_few([str(value) for value in twice])
            raise DataError(f'{path}: {len(twice)} values of {field!r} are twice in {key!r} ({shown})')
    for key, field in (('images', 'image_id'), ('categories', 'category_id')):
        known = {entry['id'] for entry in content[key]}
        for annotation in content['annotations']:
            if annotation[field] not in known:
                raise DataError(
                    f'{path}: annotation {annotation["id"]} has {field} {annotation[field]}, which is not in {key!r}'
                )
    return content


def draw_parts(names: Sequence[str], parts: dict[str, int], seed: int) -> dict[str, set[str]]:
    """Choose the file names of each part.

    Args:
        names (Sequence[str]): All file names, each once.
        parts (dict[str, int]): Name and number of images of each part.
        seed (int): Of the draw.

    Returns:
        dict[str, set[str]]: The file names of each part, disjoint.

    Raises:
        ValueError: More images are asked for than there are.
    """
    asked = sum(parts.values())
    if asked > len(names):
        sizes = ' + '.join(map(str, parts.values()))
        raise ValueError(f'--part: {sizes} = {asked} images asked for, {len(names)} found')
    ranked = rank_names(names, str(seed))
    drawn, start = {}, 0
    for part, count in parts.items():
        drawn[part] = set(ranked[start : start + count])
        start += count
    return drawn


def select(content: dict, names: set[str]) -> dict:
    """The annotations of some images: everything else of the file, and these images and their annotations in order."""
    images = [image for image in content['images'] if image['file_name'] in names]
    ids = {image['id'] for image in images}
    annotations = [entry for entry in content['annotations'] if entry['image_id'] in ids]
    return {**content, 'images': images, 'annotations': annotations}


def count_objects(content: dict) -> dict:
    """Count the objects of each class, as detectron2 does and S3, table 4.1, shows: without crowds.

    Args:
        content (dict): Of an annotation file.

    Returns:
        dict: ``images``; ``without_objects``, images that have none; ``crowds``; ``objects``, total; ``classes``, name
        to number of objects, in the order of the file, 0 included.
    """
    objects = [entry for entry in content['annotations'] if not entry.get('iscrowd', 0)]
    count = Counter(entry['category_id'] for entry in objects)
    return {
        'images': len(content['images']),
        'without_objects': len(content['images']) - len({entry['image_id'] for entry in objects}),
        'crowds': len(content['annotations']) - len(objects),
        'objects': len(objects),
        'classes': {category['name']: count[category['id']] for category in content['categories']},
    }


def count_table(counts: dict[str, dict]) -> list[str]:
    """Lay out the counts of all parts, a row a class, the totals last."""
    parts = list(counts)
    names = list(next(iter(counts.values()))['classes'])
    rows = [[name, *(str(counts[part]['classes'][name]) for part in parts)] for name in names]
    for key in ('objects', 'crowds', 'images', 'without_objects'):
        rows.append([f'[{key.replace("_", " ")}]', *(str(counts[part][key]) for part in parts)])
    return text_table(['class', *parts], rows, right=parts)


def check_images(folder: Path, names: Sequence[str]) -> None:
    """Raise DataNotFoundError unless all images are in the folder."""
    if not folder.is_dir():
        raise DataNotFoundError(f'--images {folder}: the folder does not exist')
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DataNotFoundError(
            f'--images {folder}: {len(missing)} of the {len(names)} images drawn are not there ({first_few(missing)})'
        )


def write_new(files: dict[Path, bytes]) -> None:
    """Write files, each whole or not at all; a file with other content is not replaced.

    Raises:
        DataError: A file exists with other content; none is written then.
    """
    for path, content in files.items():
        if path.exists() and path.read_bytes() != content:
            raise DataError(f'{path}: exists with other content; expected another --out, or remove it first')
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)


def make_subset(source: Path, parts: dict[str, int], seed: int, out: Path, images: Path | None = None) -> dict:
    """Draw, check and write all parts; the arguments are those of the command line.

    Returns:
        dict: The content of ``subset.json``.
    """
    content = read_annotations(source)
    names = [image['file_name'] for image in content['images']]
    drawn = draw_parts(names, parts, seed)
    if images is not None:
        check_images(images, [name for name in names if any(name in part for part in drawn.values())])
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    report = {'source': source.name, 'sha256': digest, 'seed': seed, 'parts': {}}
    files = {}
    for part, chosen in drawn.items():
        selected = select(content, chosen)
        text = json.dumps(selected).encode()
        files[out / f'instances_{part}.json'] = text
        report['parts'][part] = {**count_objects(selected), 'sha256': hashlib.sha256(text).hexdigest()}
    files[out / 'subset.json'] = (json.dumps(report, indent=2) + '\n').encode()
    write_new(files)
    return report


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, write the parts, print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('annotations', type=Path, help='annotations of objects in the form of COCO, json')
    parser.add_argument('--part', action='append', required=True, metavar='NAME=IMAGES', help='repeatable')
    parser.add_argument('--seed', type=int, required=True, help='the same seed gives the same files')
    parser.add_argument('--images', type=Path, metavar='DIR', help='look whether the images drawn are there')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder of the files')
    args = parser.parse_args(argv)
    with one_line_errors(*BUILD_ERRORS):
        report = make_subset(args.annotations, parse_parts(args.part), args.seed, args.out, args.images)
        print('\n'.join(count_table(report['parts'])))
        for part, facts in report['parts'].items():
            print(f'{args.out}/instances_{part}.json  sha256 {facts["sha256"]}')


if __name__ == '__main__':
    main()
