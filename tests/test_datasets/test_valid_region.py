"""The valid region behind every geometric transform of the hosts, by hand and on CamVid."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import TRANSFORMS

from mmssl.datasets.transforms import MarkValidRegion, PackUnlabeledInputs

pytestmark = pytest.mark.usefixtures('mmseg_scope')


def build(*transforms, keep_masks=False):
    steps = [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in transforms]
    return Compose([MarkValidRegion(), *steps, PackUnlabeledInputs(keep_masks=keep_masks)])


def sample(height=6, width=10, mask=None):
    """An image of 200 everywhere: whatever is darker was filled in."""
    image = np.full((height, width, 3), 200, dtype=np.uint8)
    results = {'img': image, 'img_shape': image.shape[:2], 'ori_shape': image.shape[:2], 'seg_fields': []}
    results |= {'img_path': 'x.png', 'seg_map_path': 'mask.png'}
    if mask is not None:
        results |= {'gt_seg_map': mask, 'seg_fields': ['gt_seg_map']}
    return results


def region(packed):
    data = packed['data_samples'].valid_region.data
    assert data.dtype == torch.bool
    assert data.shape == (1, *packed['inputs'].shape[1:])
    return data[0].numpy()


def rows(array):
    return [''.join('.#'[int(value)] for value in row) for row in array]


def test_without_geometry_all_is_image():
    packed = build()(sample())
    assert region(packed).all()
    assert packed['inputs'].shape == (3, 6, 10)
    assert 'gt_sem_seg' not in packed['data_samples']
    assert 'seg_map_path' not in packed['data_samples'].metainfo
    assert packed['data_samples'].metainfo['img_path'] == 'x.png'


def test_pad_by_hand():
    # mmcv's Pad takes width, height
    packed = build({'type': 'Pad', 'size': (5, 4)})(sample(2, 3))
    assert rows(region(packed)) == ['###..', '###..', '.....', '.....']


def test_pad_then_flip_by_hand():
    flip = {'type': 'RandomFlip', 'prob': 1.0, 'direction': 'horizontal'}
    packed = build({'type': 'Pad', 'size': (5, 3)}, flip)(sample(2, 3))
    assert rows(region(packed)) == ['..###', '..###', '.....']


def test_pad_then_resize_by_hand():
    resize = {'type': 'Resize', 'scale': (8, 2), 'keep_ratio': False}
    packed = build({'type': 'Pad', 'size': (4, 2)}, resize)(sample(2, 3))
    assert rows(region(packed)) == ['######..', '######..']


def test_crop_of_the_padding_by_hand(monkeypatch):
    crop = TRANSFORMS.build({'type': 'RandomCrop', 'crop_size': (2, 3)})
    monkeypatch.setattr(crop, 'crop_bbox', lambda results: (1, 3, 2, 5))
    packed = build({'type': 'Pad', 'size': (5, 3)}, crop)(sample(2, 3))
    assert rows(region(packed)) == ['#..', '...']


def test_center_crop_of_mmcv():
    packed = build({'type': 'Pad', 'size': (6, 4)}, {'type': 'CenterCrop', 'crop_size': (4, 4)})(sample(3, 4))
    assert rows(region(packed)) == ['###.', '###.', '###.', '....']


@pytest.mark.parametrize(
    'transforms',
    [
        [{'type': 'Resize', 'scale': (30, 20), 'keep_ratio': True}],
        [{'type': 'RandomResize', 'scale': (40, 24), 'ratio_range': (0.5, 2.0), 'keep_ratio': True}],
        [{'type': 'RandomChoiceResize', 'scales': [(20, 12), (40, 24)], 'keep_ratio': True}],
        [{'type': 'ResizeToMultiple', 'size_divisor': 16}],
        [{'type': 'RandomFlip', 'prob': 1.0, 'direction': ['horizontal', 'vertical', 'diagonal']}],
        [{'type': 'RandomRotate', 'prob': 1.0, 'degree': 40.0}],
        [{'type': 'RandomRotate', 'prob': 1.0, 'degree': 40.0, 'auto_bound': True}],
        [{'type': 'RandomRotFlip', 'rotate_prob': 1.0, 'flip_prob': 0.0}],
        [{'type': 'RandomRotFlip', 'rotate_prob': 0.0, 'flip_prob': 1.0}],
        [{'type': 'Pad', 'size_divisor': 32}, {'type': 'RandomRotate', 'prob': 1.0, 'degree': 20.0}],
        [{'type': 'Pad', 'size': (96, 64)}, {'type': 'RandomCrop', 'crop_size': (40, 70)}],
        [{'type': 'mmssl.RandomTranslate', 'max_shift': 9, 'border': 0}],
    ],
    ids=lambda transforms: '+'.join(transform['type'] for transform in transforms),
)
def test_what_was_filled_in_is_outside(transforms):
    """The image is 200 and what comes in 0: dark pixels and the region must agree, up to an interpolated seam."""
    np.random.seed(0)
    outside = 0
    for _ in range(5):
        packed = build(*transforms)(sample(36, 60))
        grey, valid = packed['inputs'][0].numpy(), region(packed)
        # cv2 interpolates the image at the edge, where the map takes the nearest pixel
        assert ((grey > 100) != valid).sum() < 0.03 * valid.size
        assert ((grey == 200) & ~valid).sum() == 0
        assert ((grey == 0) & valid).sum() < 0.005 * valid.size
        outside += (~valid).sum()
    filling = {'RandomRotate', 'Pad', 'mmssl.RandomTranslate'} & {transform['type'] for transform in transforms}
    if filling or transforms[0].get('rotate_prob') == 1.0:
        assert outside > 500
    else:
        assert outside == 0


def test_masks_are_kept_for_statistics_only():
    mask = np.array([[0, 1, 255], [7, 200, 3]], dtype=np.uint8)
    steps = [{'type': 'Pad', 'size': (4, 3)}, {'type': 'RandomFlip', 'prob': 1.0, 'direction': 'horizontal'}]
    dropped = build(*steps)(sample(2, 3, mask.copy()))
    assert 'gt_sem_seg' not in dropped['data_samples']
    kept = build(*steps, keep_masks=True)(sample(2, 3, mask.copy()))
    expected = [[255, 255, 1, 0], [255, 3, 200, 7], [255, 255, 255, 255]]
    assert kept['data_samples'].gt_sem_seg.data[0].tolist() == expected
    for packed in (dropped, kept):
        assert rows(region(packed)) == ['.###', '.###', '....']  # an ignored pixel of the mask is image all the same
    assert (dropped['inputs'] == kept['inputs']).all()
    without = build(*steps, keep_masks=True)(sample(2, 3))
    assert 'gt_sem_seg' not in without['data_samples']


def test_packing_without_a_marked_region():
    mask = np.zeros((6, 10), dtype=np.uint8)
    packed = PackUnlabeledInputs()(sample(mask=mask))
    assert set(packed['data_samples'].keys()) == set()
    packed = PackUnlabeledInputs(keep_masks=True)(sample(mask=mask + 5))
    assert packed['data_samples'].gt_sem_seg.data.unique().tolist() == [5]


def test_mistakes_are_told():
    with pytest.raises(ValueError, match='MarkValidRegion found a mask of 6x10 uint16'):
        Compose([MarkValidRegion(), MarkValidRegion()])(sample(mask=np.zeros((6, 10), dtype=np.uint8)))

    def load(results):
        results['gt_seg_map'] = np.zeros((6, 10), dtype=np.uint8)
        results['seg_fields'].append('gt_seg_map')
        return results

    with pytest.raises(ValueError, match='x.png: a mask was loaded over the marked region'):
        Compose([MarkValidRegion(), load, PackUnlabeledInputs()])(sample())

    def halve(results):
        results['img'] = results['img'][::2]
        return results

    with pytest.raises(ValueError, match='the image has 3x10 pixels, its valid region 6x10'):
        Compose([MarkValidRegion(), halve, PackUnlabeledInputs()])(sample())


def test_camvid_turned(camvid_root):
    path = str(camvid_root / 'train' / '0001TP_006690.png')
    pipeline = Compose(
        [
            TRANSFORMS.build({'type': 'mmssl.LoadImage'}),
            MarkValidRegion(),
            TRANSFORMS.build({'type': 'RandomRotate', 'prob': 1.0, 'degree': (30.0, 30.0)}),
            PackUnlabeledInputs(),
        ]
    )
    packed = pipeline({'img_path': path})
    valid = region(packed)
    # the share of a 360x480 rectangle that stays inside when it is turned by 30 degrees about its middle
    y, x = np.mgrid[:360, :480] - np.array([179.5, 239.5])[:, None, None]
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    inside = (np.abs(cos * x + sin * y) < 240) & (np.abs(cos * y - sin * x) < 180)
    assert 0.7 < inside.mean() < 0.85
    assert (valid == inside).mean() > 0.99
    assert (packed['inputs'].numpy().max(0)[~valid] == 0).mean() > 0.98  # but for the interpolated edge
