"""The bases of S2 for Cityscapes and Pascal VOC on files of their layouts."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS
from PIL import Image


def place(dataset, root):
    dataset.data_root = str(root)
    return DATASETS.build(dataset)


@pytest.mark.parametrize('crop', [(512, 1024), (512, 512)])
def test_cityscapes(tmp_path, repository, mmseg_scope, crop):
    """No augmentation but the crop: the sample is the halved image, or a window of it."""
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 19, (64, 128), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    for split in ('train', 'val'):
        for folder, name, image in (
            ('leftImg8bit', 'leftImg8bit', np.repeat(mask[..., None], 3, axis=2)),
            ('gtFine', 'gtFine_labelTrainIds', mask),
        ):
            (tmp_path / folder / split / 'x').mkdir(parents=True)
            cv2.imwrite(str(tmp_path / folder / split / 'x' / f'x_1_{name}.png'), image)
    cfg = Config.fromfile(repository / 'configs/_base_/datasets/cityscapes_plain_{}x{}.py'.format(*crop))
    assert tuple(cfg.crop_size) == crop and cfg.train_dataloader.batch_size == 2
    np.random.seed(0)
    dataset = place(cfg.train_dataloader.dataset, tmp_path)
    halved = torch.from_numpy(mask[::2, ::2].astype(np.int64))
    offsets = set()
    for _ in range(3):
        sample = dataset[0]
        labels = sample['data_samples'].gt_sem_seg.data[0]
        assert tuple(labels.shape) == crop and tuple(sample['inputs'].shape) == (3, *crop)
        (left,) = (x for x in range(1024 - crop[1] + 1) if torch.equal(halved[:, x : x + crop[1]], labels))
        offsets.add(left)
        assert torch.equal(sample['inputs'][1].long(), labels)  # blocks of 16: halving them mixes none
        assert 'flip' not in sample['data_samples'].metainfo
    assert (offsets == {0}) == (crop == (512, 1024))
    unlabeled = place(cfg.unlabeled, tmp_path)[0]
    assert tuple(unlabeled['inputs'].shape) == (3, *crop) and 'gt_sem_seg' not in unlabeled['data_samples']
    evaluated = place(cfg.val_dataloader.dataset, tmp_path)[0]
    assert evaluated['inputs'].shape == (3, 512, 1024)
    assert evaluated['data_samples'].gt_sem_seg.data.shape == (1, 1024, 2048)


def test_voc(tmp_path, repository, mmseg_scope):
    """Palette masks keep their ids; scales lie in 0.5 to 1.5; small ones are padded, and the padding is ignored."""
    for folder in ('JPEGImages', 'SegmentationClassAug', 'SegmentationClass', 'ImageSets/Segmentation'):
        (tmp_path / folder).mkdir(parents=True)
    mask = np.full((375, 500), 20, np.uint8)
    mask[100:200] = 255
    palette = Image.fromarray(mask, mode='P')
    palette.putpalette([9] * 768)
    for name, folder in (('a', 'SegmentationClassAug'), ('v', 'SegmentationClass')):
        cv2.imwrite(str(tmp_path / f'JPEGImages/{name}.jpg'), np.full((375, 500, 3), 200, np.uint8))
        palette.save(tmp_path / folder / f'{name}.png')
    (tmp_path / 'ImageSets/Segmentation/trainaug.txt').write_text('a\n')
    (tmp_path / 'ImageSets/Segmentation/val.txt').write_text('v\n')
    cfg = Config.fromfile(repository / 'configs/_base_/datasets/voc12aug_321x321.py')
    train, unlabeled = place(cfg.train_dataloader.dataset, tmp_path), place(cfg.unlabeled, tmp_path)
    assert (len(train), len(unlabeled), cfg.train_dataloader.batch_size) == (1, 1, 10)  # not the validation image

    model = Config.fromfile(repository / 'configs/_base_/models/deeplabv2_r101.py').model
    preprocessor = MODELS.build({**model.data_preprocessor, 'size': cfg.crop_size})
    np.random.seed(0)
    scales, flips, small = [], [], 0
    for _ in range(24):
        sample = train[0]
        meta, shape = sample['data_samples'].metainfo, sample['inputs'].shape[1:]
        scales.append(meta['scale_factor'][0])
        flips.append(meta['flip'])
        height, width = (round(side * scales[-1]) for side in (375, 500))
        assert shape[0] == min(321, height) and shape[1] == min(321, width)
        batch = preprocessor({'inputs': [sample['inputs']], 'data_samples': [sample['data_samples']]}, True)
        labels = batch['data_samples'][0].gt_sem_seg.data[0]
        assert batch['inputs'].shape == (1, 3, 321, 321) and labels.shape == (321, 321)
        small += shape != (321, 321)
        assert (labels[shape[0] :] == 255).all() and (labels[:, shape[1] :] == 255).all()
        assert set(labels.unique().tolist()) <= {20, 255} and (labels == 20).any()
    assert 0.5 <= min(scales) < 0.65 and 1.35 < max(scales) <= 1.5
    assert 6 <= sum(flips) <= 18 and 0 < small < 24
    assert unlabeled[0]['inputs'].shape[0] == 3 and 'gt_sem_seg' not in unlabeled[0]['data_samples']
    evaluated = place(cfg.val_dataloader.dataset, tmp_path)[0]
    assert evaluated['inputs'].shape == (3, 375, 500) and evaluated['data_samples'].gt_sem_seg.data.shape == (
        1,
        375,
        500,
    )
