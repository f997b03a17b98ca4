"""Shifts by whole pixels: exact values for every border, maps that move along."""

import numpy as np
import pytest

from mmssl.datasets.transforms.random_translate import RandomTranslate

IMAGE = np.arange(12, dtype=np.uint8).reshape(3, 4)  # 0 1 2 3 / 4 5 6 7 / 8 9 10 11


class Shift(RandomTranslate):
    """With a given shift in place of a drawn one."""

    def __init__(self, right: int, down: int, border='replicate'):
        super().__init__(max_shift=2, border=border)
        self.shift = right, down

    def draw(self):
        return self.shift


def shifted(right: int, down: int, border='replicate') -> list:
    colour = np.repeat(IMAGE[..., None], 3, axis=2)
    image = Shift(right, down, border)({'img': colour})['img']
    assert image.shape == (3, 4, 3)
    assert image.dtype == np.uint8
    assert np.array_equal(image[..., 0], image[..., 2])
    return image[..., 0].tolist()


def test_by_hand():
    assert shifted(1, 0) == [[0, 0, 1, 2], [4, 4, 5, 6], [8, 8, 9, 10]]
    assert shifted(0, -1) == [[4, 5, 6, 7], [8, 9, 10, 11], [8, 9, 10, 11]]
    assert shifted(-2, 1, 99) == [[99] * 4, [2, 3, 99, 99], [6, 7, 99, 99]]
    assert shifted(2, 0, 'reflect') == [[2, 1, 0, 1], [6, 5, 4, 5], [10, 9, 8, 9]]
    assert shifted(0, 0) == IMAGE.tolist()


@pytest.mark.parametrize(('border', 'mode'), [('replicate', 'edge'), ('reflect', 'reflect'), (7, 'constant')])
def test_all_shifts_against_numpy(border, mode):
    """Pad by 2 on all sides, then cut a window out. What is mirrored comes from the whole image there."""
    options = {'constant_values': 7} if mode == 'constant' else {}
    padded = np.pad(IMAGE, 2, mode=mode, **options)
    for right in range(-2, 3):
        for down in range(-2, 3):
            window = padded[2 - down : 5 - down, 2 - right : 6 - right]
            assert shifted(right, down, border) == window.tolist(), (right, down)


def test_maps_move_along():
    results = {
        'img': np.repeat(IMAGE[..., None], 3, axis=2),
        'gt_seg_map': IMAGE.copy(),
        'gt_instance_map': IMAGE.astype(np.int32) + 1000,
        'gt_depth_map': IMAGE.astype(np.float32) / 2,
        'seg_fields': ['gt_seg_map', 'gt_instance_map', 'gt_depth_map'],
    }
    results = Shift(1, -2, 0)(results)
    assert results['img'][0, :, 0].tolist() == [0, 8, 9, 10]
    assert results['gt_seg_map'].tolist() == [[255, 8, 9, 10], [255] * 4, [255] * 4]
    assert results['gt_instance_map'].tolist() == [[0, 1008, 1009, 1010], [0] * 4, [0] * 4]
    assert results['gt_instance_map'].dtype == np.int32
    assert results['gt_depth_map'][0].tolist() == [255, 4, 4.5, 5]


def test_mask_moves_without_seg_fields():
    results = Shift(0, 1)({'img': np.zeros((3, 4, 3), np.uint8), 'gt_seg_map': IMAGE.copy()})
    assert results['gt_seg_map'].tolist() == [[255] * 4, [0, 1, 2, 3], [4, 5, 6, 7]]


def test_draws_are_uniform_and_follow_numpy():
    transform = RandomTranslate(max_shift=(2, 1))
    np.random.seed(0)
    draws = [transform.draw() for _ in range(600)]
    right, down = np.array(draws).T
    assert set(right) == {-2, -1, 0, 1, 2}
    assert set(down) == {-1, 0, 1}
    # 120 of each expected; chi-squared with 4 degrees of freedom is below 18.5 in 999 of 1000 seeds.
    assert ((np.bincount(right + 2) - 120) ** 2 / 120).sum() < 18.5
    np.random.seed(0)
    assert [transform.draw() for _ in range(600)] == draws


@pytest.mark.parametrize(
    ('options', 'line'),
    [
        ({'max_shift': -1}, 'max_shift is -1'),
        ({'max_shift': (1, 2, 3)}, r'max_shift is \(1, 2, 3\)'),
        ({'max_shift': (1.5, 2)}, r'max_shift is \(1.5, 2\)'),
        ({'border': 'wrap'}, "border is 'wrap'"),
        ({'border': 256}, 'border is 256'),
    ],
)
def test_bad_options(options, line):
    with pytest.raises(ValueError, match=f'RandomTranslate: {line}, expected'):
        RandomTranslate(**options)


def test_bad_samples():
    image = np.zeros((2, 9, 3), np.uint8)
    with pytest.raises(ValueError, match='a.png: RandomTranslate found an image of 2x9, expected more than'):
        RandomTranslate()({'img': image, 'img_path': 'a.png'})
    with pytest.raises(ValueError, match='a.png: RandomTranslate found gt_bboxes'):
        RandomTranslate(max_shift=1)({'img': image, 'gt_bboxes': [], 'img_path': 'a.png'})
