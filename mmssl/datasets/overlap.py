"""Whether labelled and unlabelled images are the same ones."""

import hashlib
import os
import os.path as osp
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tqdm import tqdm

from mmssl.datasets.class_frequencies import base_datasets
from mmssl.datasets.split_list import first_few, strip_suffix
from mmssl.errors import DataError

CHECKS = ('name', 'content', 'off')
PROGRESS_AFTER = 10  # seconds
_BLOCK = 2**20  # bytes


@dataclass(frozen=True)
class ImageEntry:
    """What is known of an image without opening it.

    Attributes:
        label: how to call it in a message: its path, or the name of a rendered scene.
        names: its path below its folder without suffix; two where the dataset takes more than the extension away.
        scene: seed and index of a rendered street, whatever its style; None for a file.
        local: whether it is a file of this machine.
    """

    label: str
    names: frozenset[str]
    scene: tuple[int, int] | None
    local: bool


def list_images(dataset) -> list[ImageEntry]:
    """The images of a dataset, each once.

    Args:
        dataset: with ``get_data_info``, or mmengine's wrappers around such.

    Returns:
        One entry an image, in the order of the dataset.

    Raises:
        DataError: a sample has neither ``img_path`` nor the ``seed`` and ``index`` of a scene.
    """
    entries = []
    for base in base_datasets(dataset):
        prefix = getattr(base, 'data_prefix', {}).get('img_path') or ()
        folders = [prefix] if isinstance(prefix, str) else prefix
        suffixes = getattr(base, 'img_suffixes', None) or [getattr(base, 'img_suffix', '')]
        backend = (getattr(base, 'backend_args', None) or {}).get('backend', 'local')
        for position in range(len(base)):
            info = base.get_data_info(position)
            if 'seed' in info and 'index' in info:
                scene = (info['seed'], info['index'])
                entries.append(ImageEntry(str(info.get('img_path', scene)), frozenset(), scene, False))
            elif isinstance(info.get('img_path'), str):
                path = info['img_path']
                entries.append(ImageEntry(path, _names(path, folders, suffixes), None, backend == 'local'))
            else:
                raise DataError(
                    f'{type(base).__name__}: sample {position} has the keys {sorted(info)}; expected img_path to see '
                    "whether labelled and unlabelled images overlap, or overlap='off'"
                )
    return list({(entry.label, entry.scene): entry for entry in entries}.values())


def _names(path: str, folders: Iterable[str], suffixes: Iterable[str]) -> frozenset[str]:
    inside = [folder for folder in folders if folder and path.startswith(folder.rstrip('/\\') + '/')]
    relative = path[len(max(inside, key=len)) :].lstrip('/') if inside else osp.basename(path)
    relative = relative.replace('\\', '/')
    return frozenset({osp.splitext(relative)[0], strip_suffix(relative, suffixes)})


def find_overlap(
    labeled: Iterable[ImageEntry], unlabeled: Iterable[ImageEntry], *, names: bool = True
) -> list[tuple[ImageEntry, ImageEntry, str]]:
    """Find the unlabelled images that are labelled ones.

    The same file (through links too), the same name, or the same content: files of one size are compared by SHA-256,
    others are not opened. Rendered scenes are the same when seed and index agree, since both styles show one street.

    Args:
        labeled: entries of one side.
        unlabeled: entries of the other.
        names: whether an equal name counts.

    Returns:
        For each unlabelled image that is one: it, the labelled image, and what they share: ``'scene'``, ``'file'``,
        ``'name'`` or ``'content'``; in the order of ``unlabeled``.
    """
    by_key: dict = {}
    by_size: dict[int, list[ImageEntry]] = defaultdict(list)
    for entry in labeled:
        for key, size in _keys(entry, names):
            by_key.setdefault(key, entry)
            if size is not None:
                by_size[size].append(entry)
    found, candidates = {}, []
    unlabeled = list(unlabeled)
    for entry in unlabeled:
        for key, size in _keys(entry, names):
            if key in by_key:
                found.setdefault(entry, (entry, by_key[key], key[0]))
            elif size in by_size:
                candidates.append((size, entry))
    candidates = [(size, entry) for size, entry in candidates if entry not in found]
    sizes = {size for size, _ in candidates}
    one_size = [entry for size in sorted(sizes) for entry in by_size[size]]
    digests = {}
    work = [*one_size, *(entry for _, entry in candidates)]
    for entry in tqdm(work, desc='images of one size', unit='image', delay=PROGRESS_AFTER):
        digests[entry] = file_digest(entry.label)
    by_digest = {digests[entry]: entry for entry in reversed(one_size)}
    for _, entry in candidates:
        if digests[entry] in by_digest:
            found[entry] = (entry, by_digest[digests[entry]], 'content')
    return [found[entry] for entry in unlabeled if entry in found]


def _keys(entry: ImageEntry, names: bool) -> Iterator[tuple[tuple, int | None]]:
    """By what an image is recognised, the surest first, and with the key of a file its size in bytes."""
    if entry.scene is not None:
        yield ('scene', *entry.scene), None
        return
    size = None
    key = ('file', entry.label)
    if entry.local:
        try:
            status = os.stat(entry.label)
        except OSError:
            pass  # the pipeline may read it from elsewhere; if not, it names the file
        else:
            size = status.st_size
            # Some file systems have no numbers for files; then equal size and content tell.
            key = ('file', status.st_dev, status.st_ino) if status.st_ino else key
    yield key, size
    if names:
        for name in entry.names:
            yield ('name', name), None


def file_digest(path: str) -> bytes:
    """SHA-256 of a file, read in blocks; 32 bytes."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()


def check_overlap(labeled, unlabeled, by: str = 'name') -> None:
    """Raise when an unlabelled image is a labelled one.

    Args:
        labeled: dataset of the labelled images.
        unlabeled: dataset of the unlabelled ones.
        by: ``'name'``: the same file, the same path below its folder in spite of the suffix, or the same content;
            ``'content'``: without the names, for two domains that merely number their images alike; ``'off'``: no
            check. Files of a remote backend are compared by address and name alone.

    Raises:
        DataError: the two overlap.
        ValueError: ``by`` is none of these, or ``'content'`` with files that are not on this machine.
    """
    if by not in CHECKS:
        raise ValueError(f'overlap={by!r}, expected one of {CHECKS}')
    if by == 'off':
        return
    sides = list_images(labeled), list_images(unlabeled)
    if by == 'content':
        for entry in (entry for side in sides for entry in side if not entry.local and entry.scene is None):
            raise ValueError(f"overlap='content': {entry.label} is not on this machine, expected 'name' or 'off'")
    matches = find_overlap(*sides, names=by == 'name')
    if not matches:
        return
    told = [
        f'{one.label} (same {shared}{"" if one.label == other.label else f" as {other.label}"})'
        for one, other, shared in matches
    ]
    kinds = {shared for *_, shared in matches}
    cures = ['take them off one of the lists (tools/make_splits.py draws two that are disjoint)']
    if kinds == {'scene'}:
        cures = ['give one side another seed or split (both styles of a seed show the same streets)']
    if kinds == {'name'}:
        cures.append("overlap='content' where two domains number their images alike")
    raise DataError(
        f'{len(matches)} of {len(sides[1])} unlabelled images are labelled ones too: {first_few(told)}; expected none: '
        f"{', or '.join(cures)}, or overlap='off'"
    )
