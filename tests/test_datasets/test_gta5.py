"""GTA5: labels of Cityscapes' ids, and the samples that the recipe's pipelines make of them."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS
from PIL import Image

from mmssl.datasets import GTA5Dataset
from mmssl.datasets.gta5 import TRAIN_IDS, read_gta5_label
from mmssl.errors import DataError, DataNotFoundError

# Cityscapes' own table, by the names of the classes in the order of its label ids 7 to 33; None is ignored.
LABELS = [
    *('road', 'sidewalk', None, None, 'building', 'wall', 'fence', None, None, None, 'pole', None, 'traffic light'),
    *('traffic sign', 'vegetation', 'terrain', 'sky', 'person', 'rider', 'car', 'truck', 'bus', None, None, 'train'),
    *('motorcycle', 'bicycle'),
]


def write_palette(path, ids: np.ndarray) -> None:
    image = Image.fromarray(ids.astype(np.uint8), mode='P')
    image.putpalette(list(range(255, 255 - 105, -1)))  # 35 colours; the index must be read, not the colour
    image.save(path)


def test_table_by_names():
    classes = GTA5Dataset.METAINFO['classes']
    assert len(classes) == 19 and len(LABELS) == 27
    assert {i: classes[new] for i, new in TRAIN_IDS.items()} == {i: n for i, n in enumerate(LABELS, 7) if n}


def test_every_id_of_a_palette_file(tmp_path):
    ids = np.arange(35).reshape(5, 7)
    write_palette(tmp_path / 'a.png', ids)
    expected = [[TRAIN_IDS.get(i, 255) for i in row] for row in ids.tolist()]
    mask = read_gta5_label(str(tmp_path / 'a.png'))
    assert mask.dtype == np.uint8 and mask.tolist() == expected


def test_labels_that_are_none(tmp_path):
    path = tmp_path / 'a.png'
    write_palette(path, np.array([[7, 35, 255]]))
    with pytest.raises(DataError, match=r'a.png: the mask holds the ids 35, 255; expected 0..34$'):
        read_gta5_label(str(path))
    cv2.imwrite(str(path), np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    with pytest.raises(DataError, match='a.png: the mask is in colour'):
        read_gta5_label(str(path))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match='a.png: the file is truncated'):
        read_gta5_label(str(path))
    with pytest.raises(DataNotFoundError, match='b.png: the file does not exist'):
        read_gta5_label(str(tmp_path / 'b.png'))


@pytest.fixture
def folders(tmp_path):
    """Two source images with masks whose class is the column's 76 pixels, and one unlabelled and validation image."""
    rng = np.random.default_rng(0)
    for folder in ('gta5/images', 'gta5/labels', 'cs/leftImg8bit/train/x', 'cs/leftImg8bit/val/x', 'cs/gtFine/val/x'):
        (tmp_path / folder).mkdir(parents=True)
    columns = np.broadcast_to(np.arange(1914) * 19 // 1914, (1052, 1914)).astype(np.uint8)
    for name in ('00001', '00002'):
        cv2.imwrite(str(tmp_path / f'gta5/images/{name}.png'), np.repeat(columns[..., None] * 10, 3, axis=2))
        cv2.imwrite(str(tmp_path / f'gta5/labels/{name}_labelTrainIds.png'), columns)
        write_palette(tmp_path / f'gta5/labels/{name}.png', columns)
    image = rng.integers(0, 256, (128, 256, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    for split in ('train', 'val'):
        cv2.imwrite(str(tmp_path / f'cs/leftImg8bit/{split}/x/x_1_leftImg8bit.png'), image)
    cv2.imwrite(str(tmp_path / 'cs/gtFine/val/x/x_1_gtFine_labelTrainIds.png'), np.full((1024, 2048), 18, np.uint8))
    return tmp_path


def test_the_base_config_on_files(folders, repository, mmseg_scope):
    cfg = Config.fromfile(repository / 'configs/_base_/datasets/gta5_512x512.py')
    source, target, val = cfg.train_dataloader.dataset, cfg.unlabeled, cfg.val_dataloader.dataset
    source.data_root, target.data_root, val.data_root = (str(folders / name) for name in ('gta5', 'cs', 'cs'))
    np.random.seed(0)
    dataset = DATASETS.build(source)
    assert [dataset[i]['data_samples'].img_path[-9:] for i in range(2)] == ['00001.png', '00002.png']
    sample = dataset[0]
    labels = sample['data_samples'].gt_sem_seg.data
    assert sample['inputs'].shape == (3, 512, 512) and labels.shape == (1, 512, 512)
    # image and mask are cut at the same place: away from the edges of the columns the grey value is ten times the class
    same = sample['inputs'][0] == labels[0] * 10
    assert same.float().mean() > 0.97
    # 1280 columns for 19 classes: 512 of them show 8 or 9
    assert len(labels.unique()) in (8, 9)
    assert sample['data_samples'].get('flip') is None

    unlabeled = DATASETS.build(target)[0]
    assert unlabeled['inputs'].shape == (3, 512, 512) and 'gt_sem_seg' not in unlabeled['data_samples']
    evaluated = DATASETS.build(val)[0]
    assert evaluated['inputs'].shape == (3, 512, 1024)
    assert evaluated['data_samples'].gt_sem_seg.data.shape == (1, 1024, 2048)
    assert torch.equal(evaluated['data_samples'].gt_sem_seg.data.unique(), torch.tensor([18]))


def test_an_image_without_mask_is_told_and_a_list_helps(folders):
    (folders / 'gta5/labels/00002_labelTrainIds.png').unlink()
    with pytest.raises(DataError, match=r'1 of 2 images have no mask .*00002.png.*_labelTrainIds.png'):
        GTA5Dataset(data_root=str(folders / 'gta5'))
    (folders / 'gta5/labels/usable.txt').write_text('00001\n')
    assert len(GTA5Dataset(data_root=str(folders / 'gta5'), ann_file='labels/usable.txt')) == 1
