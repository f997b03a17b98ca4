"""The cheap look at data before a run: what stops it, what is warned of, and how long it takes."""

import json
import time

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import ConcatDataset
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations

from mmssl.apis.config import ConfigError
from mmssl.apis.start_audit import SETTINGS, audit_settings, audit_start, check_annotation_files
from mmssl.datasets import FolderDataset, SkipBrokenImages, StreetScenesDataset, UnlabeledDataset
from mmssl.datasets.transforms import LoadImage, LoadSegAnnotations, LoadStreetScene
from mmssl.errors import DataError, DataNotFoundError

CLASSES = {'classes': ('a', 'b')}


@pytest.fixture
def data(tmp_path):
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
        for name in 'abcdef':
            cv2.imwrite(str(tmp_path / folder / f'{name}.png'), np.full((8, 9), ord(name) % 2, np.uint8))
    return tmp_path


def of_mmseg(root, **options) -> BaseSegDataset:
    pipeline = [LoadImage(), LoadSegAnnotations(num_classes=2)]
    prefix = {'img_path': 'images', 'seg_map_path': 'masks'}
    common = {'img_suffix': '.png', 'metainfo': CLASSES, 'pipeline': pipeline, 'data_prefix': prefix}
    return BaseSegDataset(data_root=str(root), **common | options)


def of_ours(root, names=None, **options) -> FolderDataset:
    if names is not None:
        (root / f'{names}.txt').write_text('\n'.join(names))
        options['ann_file'] = f'{names}.txt'
    pipeline = [LoadImage(), LoadSegAnnotations()]
    return FolderDataset(data_root=str(root), metainfo=CLASSES, pipeline=pipeline, **options)


def line_of(train, val=None, **settings) -> str:
    datasets = {'train_dataloader': train} | ({'val_dataloader': val} if val is not None else {})
    with pytest.raises(DataError) as caught:
        audit_start(datasets, SETTINGS | settings)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_good_data_passes(data):
    audit_start({'train_dataloader': of_mmseg(data)})
    audit_start({'train_dataloader': of_ours(data, 'abc'), 'val_dataloader': of_ours(data, 'def')})
    scenes = StreetScenesDataset(num_images=3, size=(64, 64), pipeline=[LoadStreetScene()])
    audit_start({'train_dataloader': scenes, 'val_dataloader': ConcatDataset([scenes, scenes])})


def test_missing_and_double_files_and_escapes(data):
    (data / 'masks/c.png').unlink()
    line = line_of(of_mmseg(data))
    assert line == f'{data}/masks/c.png: 1 of 6 masks are missing (train_dataloader)'
    (data / 'list.txt').write_text('a\nb\na\n')
    assert f'{data}/images/a.png is listed 2 times; expected once' in line_of(of_mmseg(data, ann_file='list.txt'))
    for name in ('../masks/a', f'{data}/masks/a'):
        (data / 'list.txt').write_text(f'b\n{name}\n')
        line = line_of(of_mmseg(data, ann_file='list.txt'))
        assert 'masks/a.png leaves the folder' in line and line.startswith(f'{data}/list.txt: ')


def test_a_few_samples_are_read(data):
    (data / 'masks/a.png').write_bytes((data / 'masks/a.png').read_bytes()[:-14])
    assert 'masks/a.png: the file is truncated' in line_of(of_ours(data))
    audit_start({'train_dataloader': of_ours(data)}, SETTINGS | {'samples': 0})
    cv2.imwrite(str(data / 'masks/a.png'), np.full((8, 9), 2, np.uint8))
    assert 'masks/a.png: the mask holds the ids 2; expected 0..1, 255 (train_dataloader)' in line_of(of_ours(data))
    assert 'masks/a.png: the mask holds the ids 2' in line_of(of_mmseg(data))
    # mmseg's loader lets the id through
    dataset = of_mmseg(data, pipeline=[LoadImage(), LoadAnnotations()])
    assert dataset[0]['gt_seg_map'].max() == 2
    assert 'masks/a.png: the mask holds the ids 2' in line_of(dataset)


def test_what_may_be_skipped_is_warned_of(data, monkeypatch):
    lines = []
    monkeypatch.setattr('mmssl.apis.start_audit.print_log', lambda line, **options: lines.append(line))
    (data / 'images/a.png').write_bytes(b'broken')
    dataset = of_ours(data)
    audit_start({'train_dataloader': SkipBrokenImages(dataset=dataset)})
    assert len(lines) == 1 and 'images/a.png: not a readable image' in lines[0]
    cv2.imwrite(str(data / 'masks/a.png'), np.full((8, 9), 2, np.uint8))
    assert 'the mask holds the ids 2' in line_of(SkipBrokenImages(dataset=dataset))


def test_trained_and_evaluated_on(data, monkeypatch):
    lines = []
    monkeypatch.setattr('mmssl.apis.start_audit.print_log', lambda line, **options: lines.append(line))
    train, val = of_ours(data, 'abc'), of_ours(data, 'cde')
    assert line_of(train, val).startswith(
        f'{data}/images/c.png: 1 of 3 images that are trained on are evaluated on too'
    )
    (data / 'link').symlink_to(data / 'images')
    linked = of_ours(data, 'cde', data_prefix={'img_path': 'link', 'seg_map_path': 'masks'})
    assert 'images/c.png: 1 of 3' in line_of(train, linked)
    audit_start({'train_dataloader': train, 'val_dataloader': val}, SETTINGS | {'train_val_overlap': 'off'})
    assert lines == []
    audit_start({'train_dataloader': train, 'val_dataloader': val}, SETTINGS | {'train_val_overlap': 'warning'})
    images = UnlabeledDataset(data_root=str(data), data_prefix={'img_path': 'images'}, pipeline=[LoadImage()])
    audit_start({'train_dataloader': images, 'val_dataloader': val})
    assert len(lines) == 2 and '3 of 6 images that are pretrained or adapted on' in lines[1]


def test_settings():
    assert audit_settings(Config()) == SETTINGS
    assert audit_settings(Config({'start_audit': {'samples': 9}}))['samples'] == 9
    for wrong in ({'sample': 3}, {'samples': -1}, {'samples': True}, {'train_val_overlap': 'no'}):
        with pytest.raises(ConfigError, match='start_audit'):
            audit_settings(Config({'start_audit': wrong}))


def test_annotation_files_are_read_before_datasets(tmp_path):
    def check(content: str) -> None:
        (tmp_path / 'ann.json').write_text(content)
        part = {'type': 'mmdet.CocoDataset', 'ann_file': str(tmp_path / 'ann.json'), 'metainfo': {'classes': ('a',)}}
        check_annotation_files(Config({'train_dataloader': {'dataset': part}}), ('train', 'val'))

    with pytest.raises(DataError, match=r'ann.json: not a JSON file \(.*\) \(train_dataloader\)'):
        check('{')
    with pytest.raises(DataError, match='ann.json: not annotations of COCO; expected lists images'):
        check('[]')
    content = {'images': [{'id': 1, 'file_name': 'a', 'height': 2}], 'categories': [], 'annotations': []}
    with pytest.raises(DataError, match=r'ann.json: images\[0\] has no width \(train_dataloader\)'):
        check(json.dumps(content))
    with pytest.raises(DataNotFoundError, match='none.json: the annotation file does not exist'):
        part = {'type': 'mmdet.CocoDataset', 'ann_file': str(tmp_path / 'none.json')}
        check_annotation_files(Config({'train_dataloader': {'dataset': part}}), ('train',))


def test_ten_thousand_images_take_two_seconds(tmp_path):
    """The time does not grow with what the files hold: their names are read, four of them decoded."""
    image = cv2.imencode('.png', np.zeros((8, 9), np.uint8))[1].tobytes()
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / '0.png').write_bytes(image)
        for index in range(1, 10000):
            (tmp_path / folder / f'{index}.png').hardlink_to(tmp_path / folder / '0.png')
    train = of_mmseg(tmp_path)
    val = of_ours(tmp_path, '7', test_mode=True)
    start = time.process_time()
    audit_start({'train_dataloader': train, 'val_dataloader': val}, SETTINGS | {'train_val_overlap': 'warning'})
    assert time.process_time() - start < 2
