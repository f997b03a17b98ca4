"""SYNTHIA: class ids in the red channel of 16-bit files."""

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS
from PIL import Image

from mmssl.datasets import SynthiaDataset
from mmssl.datasets.synthia import SYNTHIA_13, SYNTHIA_16, TRAIN_IDS, read_synthia_label
from mmssl.errors import DataError

# The 23 classes of the README that comes with RAND_CITYSCAPES, in the order of their ids, by Cityscapes' names.
CLASSES = [
    *(None, 'sky', 'building', 'road', 'sidewalk', 'fence', 'vegetation', 'pole', 'car', 'traffic sign', 'person'),
    *('bicycle', 'motorcycle', None, None, 'traffic light', None, 'rider', None, 'bus', None, 'wall', None),
]


def write_label(path, classes: np.ndarray, instances: np.ndarray) -> None:
    """As published: red is the class, green the instance, blue nothing; OpenCV writes blue, green, red."""
    blue = np.zeros_like(classes)
    assert cv2.imwrite(str(path), np.stack([blue, instances, classes], axis=-1).astype(np.uint16))


def test_table_by_names():
    names = SynthiaDataset.METAINFO['classes']
    assert {i: names[new] for i, new in TRAIN_IDS.items()} == {i: n for i, n in enumerate(CLASSES) if n}
    assert set(names) - set(SYNTHIA_16) == {'terrain', 'truck', 'train'}
    assert set(SYNTHIA_16) - set(SYNTHIA_13) == {'wall', 'fence', 'pole'}
    assert list(SYNTHIA_16) == [name for name in names if name in SYNTHIA_16]


def test_every_class_beside_instances_of_16_bits(tmp_path):
    """Instance ids above 255 share no byte with the class; Pillow, which cuts to 8 bits, would read no class at all."""
    path = tmp_path / 'a.png'
    classes = np.arange(23).repeat(2).reshape(2, 23)
    instances = np.arange(46).reshape(2, 23) * 1400 + 256
    assert instances.max() == 63256
    write_label(path, classes, instances)
    mask = read_synthia_label(str(path))
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[TRAIN_IDS.get(i, 255) for i in row] for row in classes.tolist()]
    # The file itself says red: by Pillow's order, the high bytes of (class, instance, 0).
    assert path.read_bytes()[24:26] == b'\x10\x02'  # 16 bits, RGB
    high = np.array(Image.open(path))
    assert not high[..., 0].any() and high[..., 1].tolist() == (instances >> 8).tolist() and not high[..., 2].any()


def test_files_that_are_none(tmp_path):
    path = tmp_path / 'a.png'
    expected = r'expected 3 of 16, the GT/LABELS of RAND_CITYSCAPES as published'
    for image, found in (
        (np.full((2, 2, 3), 3, np.uint8), '3 channels of 8 bits'),
        (np.full((2, 2), 3, np.uint8), '1 channels of 8 bits'),
        (np.full((2, 2), 3, np.uint16), '1 channels of 16 bits'),
        (np.full((2, 2, 4), 3, np.uint16), '4 channels of 16 bits'),
    ):
        cv2.imwrite(str(path), image)
        with pytest.raises(DataError, match=f'a.png: the label has {found}; {expected}'):
            read_synthia_label(str(path))
    palette = Image.fromarray(np.full((2, 2), 3, np.uint8), mode='P')
    palette.putpalette([0] * 30)
    palette.save(path)
    with pytest.raises(DataError, match=expected):
        read_synthia_label(str(path))


@pytest.mark.parametrize(
    ('highest', 'told'), [(23, 'ids 23; expected 0..22'), (255, 'ids 255;'), (259, 'class id 259')]
)
def test_class_ids_that_do_not_exist(tmp_path, highest, told):
    """259 ends with the byte of a class, 3: a cast to 8 bits would make it road."""
    write_label(tmp_path / 'a.png', np.array([[3, highest]]), np.array([[0, 1]]))
    with pytest.raises(DataError, match=told):
        read_synthia_label(str(tmp_path / 'a.png'))


def test_the_base_config_on_files(tmp_path, repository, mmseg_scope):
    rng = np.random.default_rng(0)
    for folder in ('RGB', 'GT/LABELS'):
        (tmp_path / folder).mkdir(parents=True)
    mask = rng.choice(np.array([0, 10, 18, 255], np.uint8), (95, 160)).repeat(8, 0).repeat(8, 1)
    cv2.imwrite(str(tmp_path / 'RGB/0000000.png'), np.repeat(mask[..., None], 3, axis=2))
    cv2.imwrite(str(tmp_path / 'GT/LABELS/0000000_labelTrainIds.png'), mask)
    write_label(tmp_path / 'GT/LABELS/0000000.png', mask, mask)
    cfg = Config.fromfile(repository / 'configs/_base_/datasets/synthia_512x512.py').train_dataloader.dataset
    cfg.data_root = str(tmp_path)
    np.random.seed(1)
    dataset = DATASETS.build(cfg)
    assert len(dataset) == 1 and dataset.metainfo['classes'][18] == 'bicycle'
    sample = dataset[0]
    labels = sample['data_samples'].gt_sem_seg.data
    # no resize: the crop of the image is the crop of the mask, pixel by pixel
    assert labels.shape == (1, 512, 512) and sample['inputs'].shape == (3, 512, 512)
    assert (sample['inputs'].long() == labels).all()
    assert set(labels.unique().tolist()) == {0, 10, 18, 255}
