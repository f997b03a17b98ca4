"""tools/dataset_converters/street_scenes.py: files, COCO json, repetition, refusal."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from mmssl.datasets import CamVidDataset
from mmssl.datasets.rendering import render_street_scene
from mmssl.datasets.street_scenes import scene_index

OPTIONS = ['--num-train', '3', '--num-val', '2', '--size', '96', '128', '--seed', '4', '--style', 'photo']


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('writer', repository / 'tools/dataset_converters/street_scenes.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def digests(out):
    files = sorted(path for path in out.rglob('*') if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope='module')
def written(repository, tmp_path_factory):
    """Written from the command line, by two processes."""
    out = tmp_path_factory.mktemp('written') / 'streets'
    command = [sys.executable, 'tools/dataset_converters/street_scenes.py', '--out', str(out), '--workers', '2']
    paths = os.pathsep.join(filter(None, [str(repository), os.environ.get('PYTHONPATH')]))
    result = subprocess.run(
        [*command, *OPTIONS], capture_output=True, text=True, cwd=repository, env={**os.environ, 'PYTHONPATH': paths}
    )
    assert result.returncode == 0, result.stderr
    assert f'{out / "train"}: 3 scenes' in result.stdout and 'photo train: 100%' in result.stderr
    return out


@pytest.mark.parametrize(('split', 'count'), [('train', 3), ('val', 2)])
def test_files_are_the_scenes(written, split, count):
    names = (written / f'{split}.txt').read_text().split()
    assert names == [f'photo_{i:06d}' for i in range(count)]
    for number, name in enumerate(names):
        scene = render_street_scene(4, scene_index(split, number), (96, 128), 'photo')
        image, mask, instances = (
            cv2.imread(str(written / f'{split}{kind}' / f'{name}.png'), cv2.IMREAD_UNCHANGED)
            for kind in ('', 'annot', 'instances')
        )
        np.testing.assert_array_equal(image, scene.image)
        np.testing.assert_array_equal(np.where(mask == 11, 255, mask), scene.semantic)
        assert instances.dtype == np.uint16
        np.testing.assert_array_equal(instances, scene.instances)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_coco_json(written, split):
    coco = COCO(str(written / 'annotations' / f'instances_{split}.json'))
    assert [category['name'] for category in coco.loadCats(coco.getCatIds())] == ['Car', 'Pedestrian', 'Bicyclist']
    found = 0
    for image in coco.loadImgs(coco.getImgIds()):
        stem = image['file_name']
        semantic = cv2.imread(str(written / f'{split}annot' / stem), cv2.IMREAD_UNCHANGED)
        instances = cv2.imread(str(written / f'{split}instances' / stem), cv2.IMREAD_UNCHANGED)
        assert (image['height'], image['width']) == semantic.shape
        annotations = coco.loadAnns(coco.getAnnIds(image['id']))
        assert len(annotations) == instances.max()
        for number, annotation in enumerate(annotations, start=1):
            mask = instances == number
            np.testing.assert_array_equal(coco.annToMask(annotation), mask)
            rows, columns = np.nonzero(mask)
            corner = [columns.min(), rows.min()]
            assert annotation['area'] == mask.sum()
            assert annotation['bbox'] == [*corner, columns.max() + 1 - corner[0], rows.max() + 1 - corner[1]]
            assert (semantic[mask] == 7 + annotation['category_id']).all()
        found += len(annotations)
    assert found == len(coco.anns) > 5


def test_camvid_dataset_reads_the_folder(written):
    prefix = {'img_path': 'val/', 'seg_map_path': 'valannot/'}
    dataset = CamVidDataset(data_root=str(written), data_prefix=prefix, ann_file='val.txt')
    assert len(dataset) == 2


def test_another_run_in_one_process_writes_the_same_bytes(tool, written, capsys):
    before = digests(written)
    with pytest.raises(SystemExit, match='1'):
        tool.main(['--out', str(written), *OPTIONS])
    assert 'expected an empty folder (or pass --overwrite)' in capsys.readouterr().err
    assert digests(written) == before
    # More scenes in another style first: their files must not stay behind.
    other = ['--num-train', '5', '--num-val', '0', '--size', '64', '64', '--style', 'game']
    for options in (other, OPTIONS):
        tool.main(['--out', str(written), '--overwrite', *options])
    assert digests(written) == before


def test_other_files_are_never_removed(tool, tmp_path, capsys):
    (tmp_path / 'train').mkdir()
    (tmp_path / 'train' / 'holiday.png').write_bytes(b'mine')
    (tmp_path / 'train.txt').write_text('photo_000000')
    with pytest.raises(SystemExit, match='1'):
        tool.main(['--out', str(tmp_path), '--overwrite', *OPTIONS])
    assert 'train/holiday.png, which is no street scene; not overwritten' in capsys.readouterr().err
    assert digests(tmp_path).keys() == {'train/holiday.png', 'train.txt'}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--size', '32', '320'], 'size is (32, 320), expected (height, width), each at least 64'),
        (['--num-train', '-1'], '--num-train is -1, expected at least 0'),
        (['--workers', '-1'], '--workers is -1, expected at least 0'),
        (['--num-train', '0', '--num-val', '0'], 'both 0'),
        (['--seed', '-2'], 'seed is -2'),
    ],
)
def test_bad_options(tool, tmp_path, capsys, options, message):
    with pytest.raises(SystemExit, match='1'):
        tool.main(['--out', str(tmp_path / 'out'), *options])
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
    assert not (tmp_path / 'out').exists()


def test_json_is_plain(written):
    content = json.loads((written / 'annotations' / 'instances_train.json').read_text())
    assert [entry['id'] for entry in content['annotations']] == list(range(1, len(content['annotations']) + 1))
    assert str(written) not in json.dumps(content)
