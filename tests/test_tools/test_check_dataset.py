"""The full audit finds every fault that is put into good data, names its file, and finds none in real data."""

import importlib.util
import json
import shutil
import sys

import cv2
import numpy as np
import pytest
from mmdet.datasets import CocoDataset

RECIPE = """
default_scope = 'mmseg'
loading = [dict(type='mmssl.LoadImage'), dict(type='mmssl.LoadSegAnnotations', num_classes=3)]
pipeline = loading + [dict(type='PackSegInputs')]
common = dict(type='{kind}', data_root='{root}', metainfo=dict(classes=('a', 'b', 'c')), pipeline=pipeline)
train_dataloader = dict(dataset=dict(
    common, ann_file='{list}', data_prefix=dict(img_path='images/train', seg_map_path='masks/train')))
val_dataloader = dict(dataset=dict(
    common, data_prefix=dict(img_path='images/val', seg_map_path='masks/val'), test_mode=True))
test_dataloader = val_dataloader
"""


@pytest.fixture(scope='module')
def tool(request):
    path = request.config.rootpath / 'tools/analysis_tools/check_dataset.py'
    spec = importlib.util.spec_from_file_location('check_dataset', path)
    module = importlib.util.module_from_spec(spec)
    sys.modules['check_dataset'] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data(tmp_path):
    """Four training and two validation images of 20x30 pixels with masks of three classes."""
    rng = np.random.default_rng(0)
    for part, names in (('train', 'abcd'), ('val', 'xy')):
        for folder, array in (('images', (20, 30, 3)), ('masks', (20, 30))):
            (tmp_path / folder / part).mkdir(parents=True)
            for name in names:
                array_of = rng.integers(0, 3 if folder == 'masks' else 255, array, dtype=np.uint8)
                suffix = 'png' if folder == 'masks' else 'jpg'
                cv2.imwrite(str(tmp_path / folder / part / f'{name}.{suffix}'), array_of)
    return tmp_path


def audit(tool, root, capsys, kind='mmssl.FolderDataset', names='', *options) -> tuple[int, list[dict], str]:
    """Exit status, findings and what was printed."""
    text = RECIPE.replace('{root}', str(root)).replace('{kind}', kind).replace('{list}', names)
    (root / 'config.py').write_text(text)
    status = tool.main([str(root / 'config.py'), '--workers', '1', '--out', str(root / 'report.json'), *options])
    report = json.loads((root / 'report.json').read_text())
    return status, report['findings'], capsys.readouterr().out


def test_good_data(tool, data, capsys):
    for kind, names in (('mmssl.FolderDataset', ''), ('BaseSegDataset', '')):
        status, findings, printed = audit(tool, data, capsys, kind, names)
        assert status == 0 and findings == [], findings
        assert '0 errors, 0 warnings' in printed and '| train   |       4 |         4 |      0 |' in printed


FAULTS = {
    'missing mask': ('masks/train/b.png', None, 'missing'),
    'truncated image': ('images/train/b.jpg', lambda data: data[:-9], 'broken'),
    'empty image': ('images/train/b.jpg', lambda data: b'', 'broken'),
    'no image': ('images/val/y.jpg', lambda data: b'text', 'broken'),
    'truncated mask': ('masks/val/y.png', lambda data: data[:60], 'broken'),
    'size': ('masks/train/b.png', lambda data: png(np.zeros((10, 30), np.uint8)), 'size'),
    'ids': ('masks/train/b.png', lambda data: png(np.full((20, 30), 3, np.uint8)), 'ids'),
    '16 bits': ('masks/train/b.png', lambda data: png(np.full((20, 30), 300, np.uint16)), 'no ids'),
    'colour': ('masks/train/b.png', lambda data: png(np.arange(1800).reshape(20, 30, 3).astype(np.uint8)), 'no ids'),
}


def png(array: np.ndarray) -> bytes:
    return cv2.imencode('.png', array)[1].tobytes()


@pytest.mark.parametrize('kind', ['mmssl.FolderDataset', 'BaseSegDataset'])
def test_every_broken_file_is_listed(tool, data, capsys, kind):
    """One file a fault, then all of them together."""
    for fault, (name, change, expected) in FAULTS.items():
        path = data / name
        good = path.read_bytes()
        path.unlink() if change is None else path.write_bytes(change(good))
        status, findings, printed = audit(tool, data, capsys, kind)
        assert status == 1, fault
        assert [finding['kind'] for finding in findings] == [expected], (fault, findings)
        # a missing mask is told at its image
        assert (path.stem if change is None else str(path)) in findings[0]['text']
        assert findings[0]['text'] in printed
        path.write_bytes(good)
    for name in ('images/train/a.jpg', 'images/train/c.jpg', 'masks/train/d.png', 'images/val/x.jpg'):
        (data / name).write_bytes((data / name).read_bytes()[:-15])
    (data / 'masks/train/b.png').unlink()
    status, findings, printed = audit(tool, data, capsys, kind, '', '--limit', '2')
    assert status == 1 and len(findings) == 5 and '5 errors' in printed and '2 more; --limit 0 shows all' in printed


def test_lists(tool, data, capsys):
    shutil.copy(data / 'images/val/x.jpg', data / 'images/train/e.jpg')
    shutil.copy(data / 'masks/val/x.png', data / 'masks/train/e.png')
    (data / 'list.txt').write_text('a\n\nb\na\n../val/y\ne\nghost\n')
    status, findings, _ = audit(tool, data, capsys, 'BaseSegDataset', 'list.txt')
    texts = sorted((finding['kind'], finding['text'].removeprefix(f'{data}/')) for finding in findings)
    assert status == 1
    told = '\n'.join(f'{kind}: {text}' for kind, text in texts)
    assert 'list: list.txt: line 2: blank' in told and 'list: list.txt: line 4: a stands on line 1' in told
    assert 'escape: list.txt: line 5: ../val/y leaves the data folder' in told
    assert 'missing: images/train/ghost.jpg: the file does not exist' in told
    assert 'overlap: images/train/e.jpg: is trained on (train) and evaluated on (val)' in told
    assert 'images/val/x.jpg (same content)' in told and 'y.jpg (same file)' in told
    status, findings, _ = audit(tool, data, capsys, 'mmssl.FolderDataset', 'list.txt')
    kinds = sorted((finding['level'], finding['kind']) for finding in findings)
    assert ('warning', 'list') in kinds and ('error', 'escape') in kinds and ('error', 'missing') in kinds
    (data / 'list.txt').write_text('\n')
    status, findings, _ = audit(tool, data, capsys, 'mmssl.FolderDataset', 'list.txt')
    assert status == 1 and 'list.txt' in findings[-1]['text']


def test_classes_that_never_occur_are_warned_of(tool, data, capsys):
    for path in (data / 'masks/train').iterdir():
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.where(mask == 0, 255, mask))
    status, findings, printed = audit(tool, data, capsys)
    assert status == 0 and [finding['level'] for finding in findings] == ['warning']
    assert 'class 0 (a) never occurs; the masks may start at id 1: reduce_zero_label is False' in printed
    assert '| a                            |  0.000 |' in printed
    option = ['--cfg-options', 'train_dataloader.dataset.reduce_zero_label=True', '--part', 'train']
    status, findings, printed = audit(tool, data, capsys, 'mmssl.FolderDataset', '', *option)
    assert 'class 2 (c) never occurs; the masks may start at id 0: reduce_zero_label is True' in printed


@pytest.mark.parametrize(
    'recipe',
    [
        'multi_task/joint-classmix-all_erfnet_1xb4-1000i_camvid-1of8-96x128.py',
        'byol/mask-rcnn-random_r18-fpn_1xb4-800i_coco128-320x240.py',
        'dacs/dacs_erfnet_1xb4-1200i_game-72x96_camvid.py',
        'byol/byol_r18_1xb32-1000i_coco128-96x96.py',
    ],
)
def test_recipes_on_real_data(tool, repository, camvid_root, coco128_root, monkeypatch, capsys, recipe):
    """Pairs and tasks, instances, rendered scenes, images without masks; two processes."""
    monkeypatch.chdir(repository)
    options = ['--cfg-options', 'train_dataloader.dataset.labeled.num_images=20'] if 'dacs' in recipe else []
    assert tool.main([f'configs/{recipe}', '--workers', '2', *options]) == 0
    assert '0 errors, 0 warnings' in capsys.readouterr().out


def test_annotations_of_coco(tool, repository, coco128_root, tmp_path, monkeypatch, capsys):
    """Every fault of an annotation file is listed, and images of another size than it says."""
    monkeypatch.chdir(repository)
    truth = json.loads((coco128_root / 'annotations/instances_train.json').read_text())
    recipe = 'configs/byol/mask-rcnn-random_r18-fpn_1xb4-800i_coco128-320x240.py'

    def findings(change) -> list[dict]:
        content = json.loads(json.dumps(truth))
        change(content)
        (tmp_path / 'instances.json').write_text(json.dumps(content))
        options = ['--part', 'train', '--out', str(tmp_path / 'report.json'), '--cfg-options']
        options.append(f'train_dataloader.dataset.ann_file={tmp_path}/instances.json')
        status = tool.main([recipe, '--workers', '1', *options])
        found = json.loads((tmp_path / 'report.json').read_text())['findings']
        assert status == (1 if any(each['level'] == 'error' for each in found) else 0)
        return found

    def spoil(content) -> None:
        first, second, third, fourth = content['annotations'][:4]
        first['image_id'] = 10**9
        second['bbox'] = [9000.0, 0.0, 5.0, 5.0]
        third['segmentation'] = {'size': third['segmentation']['size'], 'counts': 'no'}
        fourth['category_id'] = 4711

    found = findings(spoil)
    assert [each['kind'] for each in found] == ['no image', 'box', 'mask', 'classes']
    assert all(str(tmp_path / 'instances.json') in each['text'] for each in found)
    found = findings(lambda content: content['categories'].reverse())
    assert [each['kind'] for each in found] == ['classes']
    assert f'expected {CocoDataset.METAINFO["classes"][0]!r}, the order' in found[0]['text']
    found = findings(lambda content: content['categories'][-1].update(name='broom'))
    assert 'no category toothbrush; expected all 80 classes' in found[0]['text']
    annotated = truth['annotations'][0]['image_id']

    def grow(content) -> None:
        for image in content['images']:
            image['height'] += 2 * (image['id'] == annotated)
        for each in content['annotations']:
            if each['image_id'] == annotated:
                each['segmentation'] = [[1, 1, 9, 1, 9, 9]]

    found = findings(grow)
    assert [each['kind'] for each in found] == ['size'] and 'the annotation file says' in found[0]['text']


def test_mistakes_are_one_line(tool, tmp_path, capsys):
    for argument in (str(tmp_path / 'none.py'), '--workers'):
        with pytest.raises(SystemExit):
            tool.main([argument])
    (tmp_path / 'empty.py').write_text("model = dict(type='A')\n")
    with pytest.raises(SystemExit):
        tool.main([str(tmp_path / 'empty.py')])
    assert 'no dataloader of train, val, test' in capsys.readouterr().err
