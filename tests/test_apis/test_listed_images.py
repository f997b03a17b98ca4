"""Images that an annotation file lists and that are not there."""

import json
import subprocess
import sys

import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset

from mmssl.apis.listed_images import check_listed_images
from mmssl.datasets.multi_task import MultiTaskSegDataset
from mmssl.datasets.paired import PairedDataset
from mmssl.datasets.plain_datasets import plain_datasets
from mmssl.errors import DataNotFoundError


class Listed(BaseDataset):
    def load_data_list(self):
        return [{'img_path': path} for path in json.loads(open(self.ann_file).read())]


class Wrapper:
    """Of any kind; mmengine's do not wrap each other."""

    def __init__(self, dataset):
        self.dataset = dataset


@pytest.fixture
def listed(tmp_path):
    """Makes a dataset of an annotation file that lists these images."""

    def make(*images):
        (tmp_path / 'list.json').write_text(json.dumps([str(tmp_path / image) for image in images]))
        return Listed(ann_file=str(tmp_path / 'list.json'))

    (tmp_path / 'town').mkdir()
    for name in ('a.jpg', 'town/b.jpg'):
        (tmp_path / name).touch()
    return make


def test_what_is_there_passes(listed):
    check_listed_images(listed('a.jpg', 'town/b.jpg', 'a.jpg'), 'train_dataloader')
    check_listed_images(RepeatDataset(listed('town/b.jpg'), 2), 'train_dataloader')


def test_what_is_missing_is_counted_and_named(listed, tmp_path):
    dataset = listed('a.jpg', 'c.jpg', 'town/b.jpg', 'village/d.jpg')
    expected = rf'list.json: 2 of 4 images that it lists are missing, the first is {tmp_path}/c.jpg \(val_dataloader\)$'
    with pytest.raises(DataNotFoundError, match=expected):
        check_listed_images(dataset, 'val_dataloader')
    with pytest.raises(DataNotFoundError, match='2 of 4'):
        check_listed_images(Wrapper(ConcatDataset([listed('a.jpg'), dataset])), 'val_dataloader')


def test_wrappers_are_opened(listed):
    first, second = listed('a.jpg'), listed('a.jpg')
    assert list(plain_datasets(Wrapper(ConcatDataset([first, second])))) == [first, second]
    tasks = MultiTaskSegDataset(
        segmentation=PairedDataset(labeled=first, unlabeled=second, overlap='off'), tasks={'a': first}
    )
    assert list(plain_datasets(tasks)) == [first, second, first]


def test_what_is_not_on_this_disk_is_left_alone(listed, tmp_path):
    (tmp_path / 'list.json').write_text('["s3://bucket/a.jpg"]')
    check_listed_images(Listed(ann_file=str(tmp_path / 'list.json')), 'train_dataloader')
    dataset = listed('nowhere.jpg')
    dataset.backend_args = {'backend': 'petrel'}
    check_listed_images(dataset, 'train_dataloader')


def test_coco_in_a_command(coco128_root, tmp_path, repository):
    """tools/train.py stops before it builds a model's first batch."""
    truth = json.loads((coco128_root / 'annotations/instances_train.json').read_text())
    truth['images'][7]['file_name'] = 'gone.jpg'
    (tmp_path / 'train.json').write_text(json.dumps(truth))
    recipe = repository / 'configs/byol/mask-rcnn-random_r18-fpn_1xb4-800i_coco128-320x240.py'
    command = [sys.executable, repository / 'tools/train.py', recipe, '--work-dir', tmp_path / 'work']
    command += ['--cfg-options', f'train_dataloader.dataset.ann_file={tmp_path}/train.json']
    result = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=200)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith(f'error: {tmp_path}/train.json: 1 of ')
    assert 'images that it lists are missing, the first is' in last and 'gone.jpg (train_dataloader)' in last
