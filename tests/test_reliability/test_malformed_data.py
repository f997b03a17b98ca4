"""Spoilt images, masks, lists, annotations and configs: one line that names the file, or a right result."""

import contextlib
import io
import json

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from malformed_files import SIZE, coco, encoded, photograph, png, spoilt, spoilt_coco
from mmdet.datasets import CocoDataset
from mmdet.datasets.transforms import LoadAnnotations
from mmengine.config import Config
from PIL import Image

from mmssl.apis.config import TOP_LEVEL_KEYS, ConfigError, load_config
from mmssl.apis.data_folders import check_data_folders
from mmssl.apis.start_audit import audit_settings, check_annotation_files
from mmssl.datasets import FolderDataset, UnlabeledDataset
from mmssl.datasets.audit import ERROR, coco_findings
from mmssl.datasets.transforms import LoadImage, LoadSegAnnotations
from mmssl.errors import DataError

pytestmark = pytest.mark.faults
CLASSES = ('a', 'b')


def outcome(call, name: str, right) -> str:
    """``one line`` or ``right``, or what else came of it.

    Args:
        call: reads the file.
        name: of the file, which the line has to have.
        right: whether what was read is right.
    """
    try:
        found = call()
    except (DataError, ConfigError) as error:
        line = str(error)
        return 'one line' if name in line and '\n' not in line else f'the message {line!r}'
    except Exception as error:
        return f'another error: {error!r}'
    return 'right' if right(found) else f'silence: {found!r}'


def examine(strategy, number: int, examine_one) -> tuple[int, list]:
    """Draw a number of files; gives how many there were and what was not survived."""
    outcomes = []

    @settings(
        max_examples=number, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def each(drawn) -> None:
        outcomes.append((examine_one(drawn), drawn))

    each()
    return len(outcomes), [(found, drawn) for found, drawn in outcomes if found not in ('right', 'one line')]


@pytest.fixture
def survive(count_faults, fault_number):
    """Examine, count, and show what was not survived."""

    def run(kind: str, strategy, examine_one, quick: int = 10, full: int = 40) -> None:
        number, lost = examine(strategy, fault_number(quick, full), examine_one)
        assert not lost, lost[:3]
        count_faults(kind, number, number - len(lost))

    return run


FORMATS = ('.png', '.jpg', '.bmp', '.webp', '.tif')


@st.composite
def image_files(draw) -> tuple[str, bytes, bool]:
    """Suffix, bytes, and whether what is left can be another image without a way to tell: no checksums."""
    suffix = draw(st.sampled_from(FORMATS))
    data = draw(spoilt(encoded(photograph(), suffix)))
    return suffix, data, suffix != '.png'


def test_images(tmp_path, survive):
    good = {suffix: LoadImage_of(tmp_path / f'good{suffix}', encoded(photograph(), suffix)) for suffix in FORMATS}

    def examine_one(drawn) -> str:
        suffix, data, may_differ = drawn
        path = tmp_path / f'a{suffix}'
        path.write_bytes(data)

        def right(found) -> bool:
            image = found['img']
            usable = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size > 0
            return usable and (may_differ or np.array_equal(image, good[suffix]))

        return outcome(lambda: LoadImage()({'img_path': str(path)}), path.name, right)

    survive('malformed images', image_files(), examine_one)


def LoadImage_of(path, data: bytes) -> np.ndarray:  # noqa: N802, as the transform
    path.write_bytes(data)
    return LoadImage()({'img_path': str(path)})['img']


def test_real_images_that_lose_their_end(tmp_path, survive, camvid_root, coco128_root):
    files = [*sorted((coco128_root / 'images').glob('*.jpg'))[:20], *sorted((camvid_root / 'train').iterdir())[:20]]

    def examine_one(drawn) -> str:
        file, part = drawn
        data = file.read_bytes()
        path = tmp_path / file.name
        path.write_bytes(data[: min(int(len(data) * part), len(data) - 1)])
        return outcome(lambda: LoadImage()({'img_path': str(path)}), path.name, lambda found: False)

    survive('malformed images', st.tuples(st.sampled_from(files), st.floats(0, 1)), examine_one, 6, 20)


@st.composite
def masks(draw) -> tuple[np.ndarray, bytes]:
    """Ids, and a file that says it holds them: any depth, colour type and size, ids in the classes or not."""
    depth = draw(st.sampled_from((1, 2, 4, 8, 16)))
    high = draw(st.sampled_from((1, 2, 3, 255, 65535)))
    ids = np.random.default_rng(draw(st.integers(0, 99))).integers(0, min(high, 2**depth - 1) + 1, SIZE)
    colour, channels = draw(st.sampled_from([(0, 1), (3, 1), (2, 3), (4, 2), (6, 4)]))
    if depth < 8 and colour not in (0, 3):
        depth = 8
    if depth == 16 and colour == 3:
        depth = 8
    ids = ids % 2**depth
    pixels = np.repeat(ids[..., None], channels, axis=-1)
    if draw(st.booleans()) and channels > 1:
        pixels[..., 0] += 1
    size = draw(st.sampled_from((SIZE, SIZE, SIZE, (23, 32), (24, 31), (2, 2), (30000, 30000), (0, 32))))
    data = png(pixels, depth, colour, size)
    if draw(st.integers(0, 3)) == 0:
        data = draw(spoilt(data))
    return ids, data


def test_masks(tmp_path, survive):
    loader, path = LoadSegAnnotations(num_classes=4), tmp_path / 'm.png'

    def examine_one(drawn) -> str:
        ids, data = drawn
        path.write_bytes(data)
        sample = {'img_path': 'image.png', 'seg_map_path': str(path), 'ori_shape': SIZE, 'seg_fields': []}
        return outcome(lambda: loader(sample)['gt_seg_map'], path.name, lambda found: np.array_equal(found, ids))

    survive('malformed masks', masks(), examine_one)


def test_real_masks(tmp_path, survive, camvid_root):
    """CamVid's, cut off, with ids that are no classes, shrunk, or in colour."""
    loader = LoadSegAnnotations(num_classes=11, ignore_index=11)
    files = sorted((camvid_root / 'valannot').iterdir())[:8]
    faults = {
        'cut': lambda mask: encoded(mask, '.png')[:-20],
        'id': lambda mask: encoded(np.where(mask == 3, 12, mask), '.png'),
        'size': lambda mask: encoded(mask[::2], '.png'),
        'colour': lambda mask: encoded(np.dstack([mask, mask, mask[::-1]]), '.png'),
        '16 bits': lambda mask: encoded(mask.astype(np.uint16) * 256, '.png'),
    }

    def examine_one(drawn) -> str:
        file, fault = drawn
        path = tmp_path / file.name
        path.write_bytes(faults[fault](np.array(Image.open(file))))
        sample = {'img_path': 'image.png', 'seg_map_path': str(path), 'ori_shape': (360, 480), 'seg_fields': []}
        return outcome(lambda: loader(sample), path.name, lambda found: False)

    survive('malformed masks', st.tuples(st.sampled_from(files), st.sampled_from(sorted(faults))), examine_one, 6, 20)


STEMS = ('a', 'b', 'town/c')
NAMES = st.one_of(
    st.sampled_from([*STEMS, 'a.png', '/elsewhere/town/c.png', '../a', '/etc/passwd', '', '  ', 'A', 'a.png b.png']),
    st.text(max_size=6),
)
LISTS = st.one_of(
    st.binary(max_size=60),
    st.lists(NAMES, max_size=5).map(lambda names: '\n'.join(names).encode('utf-8', 'surrogatepass')),
    st.lists(st.sampled_from(STEMS), max_size=3).map(lambda names: '\r\n'.join(['', *names, '']).encode()),
)


def test_lists(tmp_path, survive):
    for folder in ('images', 'masks'):
        for stem in STEMS:
            path = tmp_path / folder / f'{stem}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.zeros((4, 4), np.uint8))
    file = tmp_path / 'list.txt'
    common = {'data_root': str(tmp_path), 'ann_file': 'list.txt', 'img_suffix': '.png'}

    def read(kind: str) -> list[str]:
        if kind == 'labelled':
            dataset = FolderDataset(metainfo={'classes': CLASSES}, **common)
        else:
            dataset = UnlabeledDataset(data_prefix={'img_path': 'images'}, **common)
        return [dataset.get_data_info(index)['img_path'] for index in range(len(dataset))]

    def examine_one(drawn) -> str:
        content, kind = drawn
        file.write_bytes(content)

        def right(found) -> bool:
            lines = [line.strip() for line in content.decode('utf-8-sig').splitlines()]
            named = [line.split()[0] for line in lines if line]
            return [path.removeprefix(f'{tmp_path}/images/').removesuffix('.png') for path in found] == [
                name.removeprefix('/elsewhere/').removesuffix('.png') for name in named
            ]

        return outcome(lambda: read(kind), file.name, right)

    survive('malformed lists', st.tuples(LISTS, st.sampled_from(('labelled', 'unlabelled'))), examine_one)


def load_annotations(path) -> list[dict]:
    """As at the start of a training, then every sample."""
    errors = [finding for finding in coco_findings(path, CLASSES) if finding.level == ERROR]
    if errors:
        raise DataError(errors[0].text)
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = CocoDataset(ann_file=str(path), data_prefix={'img': 'images'}, metainfo={'classes': CLASSES})
    loader = LoadAnnotations(with_bbox=True, with_mask=True)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return [loader(info | {'ori_shape': (info['height'], info['width'])}) for info in infos]


def test_json(tmp_path, survive):
    path = tmp_path / 'instances.json'

    def examine_one(data) -> str:
        path.write_bytes(data)

        def right(found) -> bool:
            content = json.loads(data)
            kept = [
                each
                for each in content['annotations']
                if each['area'] > 0 and min(each['bbox'][2:]) >= 1 and not each.get('ignore')
            ]
            masks = [sample['gt_masks'] for sample in found]
            return (
                len(found) == len(content['images'])
                and sum(map(len, masks)) == len(kept)
                and all(label in (0, 1) for sample in found for label in sample['gt_bboxes_labels'])
                and all(mask.any() for part in masks for mask in part.to_ndarray())
            )

        return outcome(lambda: load_annotations(path), path.name, right)

    path.write_text(json.dumps(coco()))
    assert len(load_annotations(path)) == 2
    survive('malformed json', spoilt_coco(), examine_one, 15, 40)


GOOD = """default_scope = 'mmseg'
model = dict(type='EncoderDecoder')
train_dataloader = dict(batch_size=2, dataset=dict(type='mmssl.UnlabeledDataset', data_root='{root}'))
val_dataloader = None
train_cfg = dict(max_iters=2)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
custom_hooks = [dict(type='mmssl.StrictLoadHook')]
randomness = dict(seed=0)
"""
KEYS = sorted(TOP_LEVEL_KEYS)
WRONG = ('5', "'text'", '[]', '[1, 2]', 'True', '(3, 4)', '1.5', 'dict', 'len', '{1, 2}')


@st.composite
def configs(draw) -> tuple[str, bytes]:
    """The fault, and the file."""
    lines = GOOD.splitlines()
    place = draw(st.integers(0, len(lines) - 1))
    kind = draw(st.sampled_from(('syntax', 'unknown key', 'type', 'dataset', 'line', 'base', 'bytes', 'settings')))
    if kind == 'syntax':
        lines[place] = lines[place][: draw(st.integers(1, len(lines[place]) - 1))] + draw(st.sampled_from("([{'=:\\"))
    elif kind == 'unknown key':
        key = draw(st.sampled_from([key for key in KEYS if len(key) > 8]))
        spot = draw(st.integers(1, len(key) - 2))
        lines.insert(place, f'{key[:spot]}{key[spot + 1 :]} = dict()')
    elif kind == 'type':
        key = lines[place].split(' = ')[0]
        lines[place] = f'{key} = {draw(st.sampled_from(WRONG))}'
    elif kind == 'dataset':
        lines[2] = f'train_dataloader = dict(dataset={draw(st.sampled_from(WRONG))})'
    elif kind == 'line':
        broken = ('1 / 0', 'missing', 'dict()["a"]', 'import nowhere_at_all', 'open("/nowhere")', '"a" + 1', '[][0]')
        lines.insert(place, draw(st.sampled_from(broken)))
    elif kind == 'base':
        lines.insert(0, f'_base_ = {draw(st.sampled_from(["nowhere.py", "config.py", 5, [None]]))!r}')
    elif kind == 'settings':
        value = draw(st.sampled_from(['dict(samples=-1)', 'dict(sample=3)', "dict(train_val_overlap='no')", '3']))
        lines.insert(place, f'start_audit = {value}')
    data = '\n'.join(lines).encode()
    return kind, draw(spoilt(data, kinds=('zero', 'noise'))) if kind == 'bytes' else data


def test_configs(tmp_path, survive):
    path = tmp_path / 'config.py'
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'a.jpg').touch()

    def read() -> Config:
        cfg = load_config(str(path))
        audit_settings(cfg)
        check_data_folders(cfg, ('train', 'val'))
        check_annotation_files(cfg, ('train', 'val'))
        return cfg

    def examine_one(drawn) -> str:
        kind, data = drawn
        path.write_bytes(data.replace(b'{root}', str(tmp_path / 'data').encode()))
        name = 'start_audit' if kind == 'settings' else str(tmp_path)

        def right(found) -> bool:
            # a wrong type that is none: an empty list of hooks, another seed in a comment's place
            return kind in ('type', 'bytes', 'syntax') and set(found) <= {*TOP_LEVEL_KEYS, *found}

        return outcome(read, name, right)

    path.write_text(GOOD.replace('{root}', str(tmp_path / 'data')))
    assert read().train_cfg.max_iters == 2
    survive('malformed configs', configs(), examine_one, 15, 40)
