"""Lightness in, colour out: known Lab colours, scikit-image on photographs, packing."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from skimage.color import rgb2lab

from mmssl.datasets.transforms.pretext.colorization import ColorizationTarget, split_lab
from mmssl.datasets.transforms.pretext.pack_pretext_inputs import PackPretextInputs


@pytest.mark.parametrize(
    ('rgb', 'lab'),
    [
        # sRGB primaries and secondaries under D65, as colour tables print them
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((255, 255, 0), (97.14, -21.55, 94.48)),
        ((0, 255, 255), (91.11, -48.09, -14.13)),
        ((255, 0, 255), (60.32, 98.23, -60.82)),
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((64, 64, 64), (27.09, 0, 0)),
    ],
)
def test_known_colours(rgb, lab):
    lightness, ab = split_lab(np.full((2, 3, 3), rgb[::-1], np.uint8))
    assert (lightness.shape, lightness.dtype) == ((2, 3), np.uint8)
    assert (ab.shape, ab.dtype) == ((2, 2, 3), np.int8)
    assert lightness[0, 0] / 2.55 == pytest.approx(lab[0], abs=0.4)
    assert ab[:, 1, 2] == pytest.approx(lab[1:], abs=1)


def test_greys_have_no_colour():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    lightness, ab = split_lab(ramp)
    assert np.abs(ab).max() <= 1
    assert np.diff(lightness[0].astype(int)).min() >= 0
    assert (lightness[0, 0], lightness[0, -1]) == (0, 255)


def test_photographs_against_scikit_image(coco128_root, camvid_root):
    """Rounding alone is off by 0.25 on average and 0.5 at most; OpenCV's 8-bit tables add a little, without a bias."""
    paths = [*sorted(coco128_root.rglob('*.jpg'))[::12], *sorted((camvid_root / 'train').glob('*.png'))[::80]]
    assert len(paths) > 10
    means, within_1 = [], []
    for path in paths:
        image = cv2.imread(str(path))
        lightness, ab = split_lab(image)
        exact = rgb2lab(image[..., ::-1]).transpose(2, 0, 1)
        error = ab - exact[1:]
        assert np.abs(error).max() < 3
        assert abs(error.mean()) < 0.1
        assert np.abs(lightness / 2.55 - exact[0]).max() < 0.7
        means.append(np.abs(error).mean())
        within_1.append((np.abs(error) <= 1).mean())
    assert np.mean(means) < 0.33
    assert np.mean(within_1) > 0.95


def test_the_sample_is_split(coco128_root):
    image = cv2.imread(str(sorted(coco128_root.rglob('*.jpg'))[0]))
    results = ColorizationTarget()({'img': image.copy(), 'ori_shape': (1, 1), 'flip': True})
    lightness, ab = split_lab(image)
    assert np.array_equal(results['img'], np.stack([lightness] * 3, axis=2))
    assert results['img'].dtype == np.uint8
    assert np.array_equal(results['gt_ab'], ab)
    assert results['img_shape'] == results['ori_shape'] == image.shape[:2]
    assert (results['flip'], results['scale_factor']) == (False, (1.0, 1.0))


def test_lightness_and_colour_give_the_photograph_back(coco128_root):
    """The prediction of a perfect network is the photograph, but for 8-bit rounding."""
    image = cv2.imread(str(sorted(coco128_root.rglob('*.jpg'))[1]))
    lightness, ab = split_lab(image)
    lab = np.dstack([lightness / np.float32(2.55), *ab.astype(np.float32)])
    again = cv2.cvtColor(lab, cv2.COLOR_LAB2BGR) * 255
    assert np.abs(again - image).mean() < 1.5


def test_packed_as_pixel_data(mmseg_scope):
    from mmseg.registry import TRANSFORMS

    image = np.random.default_rng(0).integers(0, 256, (8, 16, 3), dtype=np.uint8)
    steps = [{'type': 'mmssl.ColorizationTarget'}, {'type': 'mmssl.PackPretextInputs'}]
    packed = Compose([TRANSFORMS.build(step) for step in steps])({'img': image, 'img_path': 'a.png'})
    lightness, ab = split_lab(image)
    assert torch.equal(packed['inputs'], torch.from_numpy(np.stack([lightness] * 3)))
    sample = packed['data_samples']
    assert sample.gt_ab.data.dtype == torch.int8
    assert torch.equal(sample.gt_ab.data, torch.from_numpy(ab))
    assert sample.metainfo['ori_shape'] == (8, 16)
    assert 'gt_sem_seg' not in sample


def test_several_targets_and_other_meta_keys():
    results = {
        'img': np.zeros((4, 6, 3), np.uint8),
        'depth': np.ones((1, 4, 6), np.float32),
        'gt_ab': np.zeros((2, 4, 6), np.int8),
        'gt_seg_map': np.full((4, 6), 3, np.uint8),
        'sample_idx': 5,
    }
    pack = PackPretextInputs(pixel_keys=('gt_ab', 'depth'), meta_keys=('sample_idx',))
    sample = pack(results)['data_samples']
    assert sample.metainfo == {'sample_idx': 5}
    assert sample.depth.data.dtype == torch.float32
    assert sample.depth.data.sum() == 24
    assert sample.gt_ab.shape == (4, 6)
    assert sample.gt_sem_seg.data.unique().tolist() == [3]


@pytest.mark.parametrize(
    ('results', 'message'),
    [
        ({}, "a.png: PackPretextInputs found no 'gt_ab'"),
        ({'gt_ab': np.zeros((2, 6, 4), np.int8)}, r'gt_ab has the shape \(2, 6, 4\), expected \(channels, 4, 6\)'),
        ({'gt_ab': np.zeros((4, 6), np.int8)}, r'gt_ab has the shape \(4, 6\)'),
    ],
)
def test_targets_that_do_not_fit(results, message):
    with pytest.raises(ValueError, match=message):
        PackPretextInputs()({'img': np.zeros((4, 6, 3), np.uint8), 'img_path': 'a.png', **results})


@pytest.mark.parametrize('keys', [(), ('gt_ab', 'gt_ab')])
def test_no_or_repeated_keys(keys):
    with pytest.raises(ValueError, match='expected at least one, each once'):
        PackPretextInputs(pixel_keys=keys)


def test_grey_files_are_refused():
    with pytest.raises(ValueError, match=r'a\.png: ColorizationTarget found an image of shape \(4, 6, 1\)'):
        ColorizationTarget()({'img': np.zeros((4, 6, 1), np.uint8), 'img_path': 'a.png'})
