"""Everything that is wrong with an annotation file of COCO's form.

mmdet's dataset leaves out in silence what it does not understand, numbers the classes in the order of the file whatever
the order of its own, and fails on the rest without the name of the file (mmdet 3.3.0).
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mmssl.datasets.audit.finding import ERROR, WARNING, Finding
from mmssl.datasets.split_list import first_few

LISTS = ('images', 'annotations', 'categories')
OUTSIDE = 1.0  # pixels by which boxes of COCO itself leave their image through rounding


def coco_findings(path: str | Path, classes: Sequence[str] | None = None, masks: bool = True) -> list[Finding]:
    """Check an annotation file; image files are not looked at.

    Args:
        path: the file.
        classes: names of the dataset's classes in the order of their ids; None does not compare.
        masks: whether instance masks are loaded, and expected.

    Returns:
        All faults; none means that mmdet's ``CocoDataset`` reads the file and every annotation of it.
    """
    try:
        content = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return [Finding(ERROR, 'missing', f'{path}: the annotation file does not exist')]
    except OSError as error:
        return [Finding(ERROR, 'annotations', f'{path}: the file cannot be read ({error.strerror})')]
    except (ValueError, RecursionError) as error:
        return [Finding(ERROR, 'annotations', f'{path}: not a JSON file ({" ".join(str(error).split())})')]
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in LISTS):
        return [Finding(ERROR, 'annotations', f'{path}: not annotations of COCO; expected lists {", ".join(LISTS)}')]
    faults = [*_structure(content)]
    if not any(level == ERROR for level, *_ in faults):
        faults += _classes(content, classes)
        faults += _contents(content, masks)
    return [Finding(level, kind, f'{path}: {text}') for level, kind, text in faults]


Fault = tuple[str, str, str]


def _is_id(value) -> bool:
    return type(value) in (int, str)


def _is_number(value) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _structure(content: dict) -> Iterator[Fault]:
    """Entries without what the host reads of each, and numbers that are used twice."""
    needed = {
        'images': {
            'id': _is_id,
            'file_name': lambda value: isinstance(value, str) and value and '\0' not in value,
            'height': lambda value: type(value) is int and value > 0,
            'width': lambda value: type(value) is int and value > 0,
        },
        'categories': {'id': _is_id, 'name': lambda value: isinstance(value, str) and value},
        'annotations': {
            'id': _is_id,
            'image_id': _is_id,
            'category_id': _is_id,
            'bbox': lambda value: isinstance(value, list) and len(value) == 4 and all(map(_is_number, value)),
            'area': _is_number,
        },
    }
    for kind, keys in needed.items():
        ids = Counter()
        for place, entry in enumerate(content[kind]):
            if not isinstance(entry, dict):
                yield ERROR, 'annotations', f'{kind}[{place}] is {_short(entry)}; expected an object'
                continue
            for key, fits in keys.items():
                if key not in entry:
                    yield ERROR, 'annotations', f'{kind}[{place}] has no {key}'
                elif not fits(entry[key]):
                    yield ERROR, 'annotations', f'{kind}[{place}] has {key} {_short(entry[key])}'
            if _is_id(entry.get('id')):
                ids[entry['id']] += 1
        for number, times in ids.items():
            if times > 1:
                yield ERROR, 'annotations', f'{times} {kind} have the id {number}; expected one'


def _classes(content: dict, classes: Sequence[str] | None) -> Iterator[Fault]:
    if classes is None:
        return
    names = [category['name'] for category in content['categories']]
    used = {annotation['category_id'] for annotation in content['annotations']}
    missing = [name for name in classes if name not in names]
    if missing:
        yield ERROR, 'classes', f'no category {first_few(missing)}; expected all {len(classes)} classes of the dataset'
    known = [name for name in names if name in classes]
    if not missing and known != list(classes):
        place = next(i for i, pair in enumerate(zip(known, classes, strict=False)) if pair[0] != pair[1])
        yield (
            ERROR,
            'classes',
            f'category {place} of the known ones is {known[place]!r}; expected {classes[place]!r}, the order of the '
            "dataset's classes, by which mmdet numbers them",
        )
    for category in content['categories']:
        if category['name'] not in classes and category['id'] in used:
            number = sum(annotation['category_id'] == category['id'] for annotation in content['annotations'])
            text = f'the dataset does not know the category {category["name"]!r}; {number} annotations are left out'
            yield WARNING, 'classes', text


def _contents(content: dict, masks: bool) -> Iterator[Fault]:
    images = {image['id']: image for image in content['images']}
    categories = {category['id'] for category in content['categories']}
    for name, times in Counter(image['file_name'] for image in content['images']).items():
        if times > 1:
            yield ERROR, 'list', f'{name} is listed {times} times; expected once'
    for annotation in content['annotations']:
        where = f'annotation {annotation["id"]}'
        image = images.get(annotation['image_id'])
        if annotation['category_id'] not in categories:
            yield ERROR, 'classes', f'{where} has the category {annotation["category_id"]}, which is not in the file'
        if image is None:
            yield ERROR, 'no image', f'{where} is of the image {annotation["image_id"]}, which is not in the file'
            continue
        size = image['height'], image['width']
        yield from _box(annotation, where, size, image['file_name'])
        if masks:
            yield from _mask(annotation.get('segmentation'), f'{where} of {image["file_name"]}', size)


def _box(annotation: dict, where: str, size: tuple[int, int], name: str) -> Iterator[Fault]:
    x, y, width, height = annotation['bbox']
    told = (
        f'{where} of {name} has the box {annotation["bbox"]} (x, y, width, height) in an image of {size[0]}x{size[1]}'
    )
    if x >= size[1] or y >= size[0] or x + width <= 0 or y + height <= 0:
        yield ERROR, 'box', f'{told} pixels, which it does not meet'
    elif width < 1 or height < 1 or annotation['area'] <= 0:
        yield WARNING, 'box', f'{told} and the area {annotation["area"]}; it is left out'
    elif min(x, y) < -OUTSIDE or x + width > size[1] + OUTSIDE or y + height > size[0] + OUTSIDE:
        yield WARNING, 'box', f'{told}, beyond its border'


def _mask(segmentation, where: str, size: tuple[int, int]) -> Iterator[Fault]:
    if isinstance(segmentation, list) and segmentation:
        good = [_is_polygon(polygon, size) for polygon in segmentation]
        if not all(good):
            level = WARNING if any(good) else ERROR
            told = f'{good.count(False)} of {len(good)} polygons are not three points or more in the image'
            yield level, 'mask', f'{where}: {told}'
    elif isinstance(segmentation, dict):
        fault = rle_fault(segmentation, size)
        if fault:
            yield ERROR, 'mask', f'{where}: {fault}'
    else:
        yield ERROR, 'mask', f'{where}: segmentation {_short(segmentation)}; expected polygons or run lengths'


def _is_polygon(value, size: tuple[int, int]) -> bool:
    if not isinstance(value, list) or len(value) < 6 or len(value) % 2 or not all(map(_is_number, value)):
        return False
    # pycocotools takes memory by the length of the outline, whatever the size of the mask.
    return -max(size) <= min(value) and max(value) <= 2 * max(size)


def rle_fault(segmentation: dict, size: tuple[int, int]) -> str | None:
    """What is wrong with run lengths: pycocotools writes beyond the mask where they are too long.

    Args:
        segmentation: ``size`` and ``counts``, a list or compressed.
        size: height and width of the image.

    Returns:
        The fault as a phrase, or None.
    """
    if segmentation.get('size') != list(size):
        return f'run lengths for the size {_short(segmentation.get("size"))}; expected {list(size)}'
    counts = segmentation.get('counts')
    if isinstance(counts, str):
        counts = _uncompressed(counts)
    if not isinstance(counts, list) or not all(type(count) is int and count >= 0 for count in counts):
        return 'its run lengths cannot be read'
    if sum(counts) != size[0] * size[1]:
        return f'its run lengths sum to {sum(counts)}; expected {size[0]}x{size[1]}'
    return None


def _uncompressed(text: str) -> list[int] | None:
    """Run lengths of pycocotools' compressed text: five bits a character, differences to the last but one."""
    try:
        codes = np.frombuffer(text.encode('ascii'), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        return None
    if not len(codes) or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        return None
    last = np.flatnonzero(~codes & 32)  # of each number
    first = np.concatenate([[0], last[:-1] + 1])
    length = last - first + 1
    if length.max() > 12:
        return None
    place = np.arange(len(codes)) - np.repeat(first, length)
    counts = np.add.reduceat((codes & 31) << (5 * place), first)
    counts -= np.where(codes[last] & 16, 1 << (5 * length), 0)
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts.tolist()


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f'{text[:37]}...'
