"""Masks, cut-outs and their similarity, by hand and beside slow references."""

import math

import cv2
import numpy as np
import pytest
import torch

from mmssl.evaluation.cutouts import (
    BACKGROUNDS,
    BLUR,
    check_score_thr,
    class_ids,
    compare_cutouts,
    cosine_similarity,
    cut_out,
    mask_iou,
    union_mask,
)

MASKS = torch.zeros(3, 4, 5, dtype=torch.bool)
MASKS[0, 0, 0] = MASKS[1, 1:3, 1:4] = MASKS[2, 3, :] = True
LABELS = torch.tensor([7, 2, 7])


def random_case(seed: int, size=(37, 53)):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8), rng.random(size) < 0.5


@pytest.mark.parametrize(
    ('instances', 'members'),
    [('all', [0, 1, 2]), ('largest', [1]), ([7], [0, 2]), ([2], [1]), ([2, 7], [0, 1, 2]), ([1], [])],
)
def test_union_of_masks(instances, members):
    expected = np.zeros((4, 5), dtype=bool)
    for index in members:
        expected |= MASKS[index].numpy()
    found = union_mask(MASKS, LABELS, instances)
    assert found.dtype == torch.bool
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('instances', ['all', 'largest', [2]])
def test_union_of_nothing(instances):
    found = union_mask(MASKS[:0], LABELS[:0], instances)
    assert found.shape == (4, 5) and found.dtype == torch.bool and not found.any()


def test_first_of_equally_large_ones():
    masks = torch.zeros(2, 2, 2, dtype=torch.bool)
    masks[0, 0] = masks[1, 1] = True
    np.testing.assert_array_equal(union_mask(masks, LABELS[:2], 'largest'), masks[0])


def test_every_pixel_of_a_cut_out():
    image, mask = random_case(0)
    copy = image.copy()
    for background in BACKGROUNDS:
        found = cut_out(image, mask, background)
        assert found.dtype == np.uint8 and found.shape == (37, 53, 4 if background == 'transparent' else 3)
        outside = {'black': (0, 0, 0), 'white': (255, 255, 255), 'transparent': (0, 0, 0, 0)}.get(background)
        for row in range(37):
            for column in range(53):
                if mask[row, column]:
                    alpha = [255] if background == 'transparent' else []
                    assert found[row, column].tolist() == [*image[row, column], *alpha]
                elif outside:
                    assert tuple(found[row, column]) == outside
    np.testing.assert_array_equal(image, copy)


@pytest.mark.parametrize('background', BACKGROUNDS)
def test_nothing_and_everything(background):
    image, _ = random_case(1)
    everything = cut_out(image, np.ones((37, 53), dtype=bool), background)
    np.testing.assert_array_equal(everything[..., :3], image)
    nothing = cut_out(image, np.zeros((37, 53), dtype=bool), background)
    if background == 'blur':
        assert nothing.std() < 0.3 * image.std()
    else:
        assert np.unique(nothing).tolist() == [255 if background == 'white' else 0]


def test_strided_arguments():
    image, mask = random_case(2)
    for background in BACKGROUNDS:
        flipped = cut_out(image[:, ::-1], mask[:, ::-1], background)
        np.testing.assert_array_equal(flipped, cut_out(image[:, ::-1].copy(), mask[:, ::-1].copy(), background))


def test_blur_takes_no_colour_of_the_object():
    image = np.full((120, 200, 3), (50, 90, 130), dtype=np.uint8)
    mask = np.zeros((120, 200), dtype=bool)
    mask[30:90, 60:140] = True
    image[mask] = 255
    found = cut_out(image, mask, 'blur')
    assert np.abs(found[~mask].astype(int) - (50, 90, 130)).max() <= 1
    assert (found[mask] == 255).all()


def test_blur_is_close_to_the_exact_one(coco128_root):
    path = sorted((coco128_root / 'images').iterdir())[0]
    image = cv2.imread(str(path)).astype(np.float64)
    height, width = image.shape[:2]
    mask = np.zeros((height, width), dtype=np.uint8)
    cv2.ellipse(mask, (width // 2, height // 2), (width // 4, height // 3), 20, 0, 360, 1, -1)
    outside = 1.0 - mask
    sigma = BLUR * max(height, width)
    colours = cv2.GaussianBlur(image * outside[..., None], (0, 0), sigma)
    exact = colours / np.maximum(cv2.GaussianBlur(outside, (0, 0), sigma), 1e-6)[..., None]
    found = cut_out(image.astype(np.uint8), mask.astype(bool), 'blur')
    difference = np.abs(found - exact)[mask == 0]
    assert difference.mean() < 1
    assert np.quantile(difference, 0.99) < 6
    assert np.abs(image - exact)[mask == 0].mean() > 5  # what no blur at all would give


@pytest.mark.parametrize('size', [(1, 1), (1, 400), (300, 2)])
def test_blur_of_narrow_images(size):
    image = np.full((*size, 3), 77, dtype=np.uint8)
    np.testing.assert_array_equal(cut_out(image, np.zeros(size, dtype=bool), 'blur'), image)


def test_cosine_by_hand():
    a, b = np.uint8([3, 4, 0]), np.uint8([4, 3, 0])
    assert cosine_similarity(a, b) == pytest.approx(96)  # 24 / 25
    assert cosine_similarity(a, a) == pytest.approx(100)
    assert cosine_similarity(a, np.uint8([0, 0, 9])) == 0
    assert cosine_similarity(np.uint8([1, 0]), np.uint8([1, 1])) == pytest.approx(100 / math.sqrt(2))
    # 200 * 200 does not fit 8 bits.
    assert cosine_similarity(np.uint8([200, 200]), np.uint8([200, 0])) == pytest.approx(100 / math.sqrt(2))


def test_cosine_of_black_pictures():
    black, grey = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 9, np.uint8)
    assert cosine_similarity(black, black) == 100
    assert cosine_similarity(black, grey) == cosine_similarity(grey, black) == 0


def test_cosine_in_whole_numbers():
    (a, _), (b, _) = random_case(3), random_case(4)
    pairs = list(zip(map(int, a.ravel()), map(int, b.ravel()), strict=True))
    dot, aa, bb = sum(x * y for x, y in pairs), sum(x * x for x, _ in pairs), sum(y * y for _, y in pairs)
    assert cosine_similarity(a, b) == pytest.approx(100 * dot / math.sqrt(aa * bb), rel=1e-12)


def test_iou_by_hand():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert mask_iou(a, b) == 100
    a[:2], b[1:3] = True, True
    assert mask_iou(a, b) == pytest.approx(100 * 4 / 12)
    assert mask_iou(a, np.zeros_like(a)) == 0


def test_similarity_of_two_cut_outs():
    image = np.full((4, 4, 3), 10, dtype=np.uint8)
    image[1] = 20
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    a[:2], b[1:3] = True, True
    # A row of 20 is in both, a row of 10 in one each: 400 / (400 + 100).
    assert compare_cutouts(image, a, b) == (pytest.approx(80), pytest.approx(100 / 3))
    assert compare_cutouts(image, np.zeros_like(a), b) == (0, 0)


def test_bad_arguments():
    image, mask = random_case(5)
    with pytest.raises(ValueError, match="^background is 'red', expected black, white, blur, transparent$"):
        cut_out(image, mask, 'red')
    with pytest.raises(ValueError, match=r'mask of \(36, 53\) for an image of \(37, 53\), expected one size$'):
        cut_out(image, mask[1:])
    with pytest.raises(ValueError, match=r'image of \(37, 53, 3\) float64 and mask of bool, expected .* uint8'):
        cut_out(image.astype(float), mask)
    with pytest.raises(ValueError, match='mask of uint8'):
        cut_out(image, mask.astype(np.uint8))
    with pytest.raises(ValueError, match='expected one shape'):
        cosine_similarity(image, image[1:])
    with pytest.raises(ValueError, match='expected one shape'):
        mask_iou(mask, mask[1:])
    assert class_ids(['c', 'a'], ('a', 'b', 'c')) == [2, 0]
    with pytest.raises(ValueError, match="^unknown class 'd', expected some of a, b$"):
        class_ids(['a', 'd'], ('a', 'b'))
    for nothing in ('most', []):
        with pytest.raises(ValueError, match='expected all, largest or names of classes$'):
            class_ids(nothing, ('a', 'b'))
    for bad in (-0.1, 1.1, float('nan')):
        with pytest.raises(ValueError, match='^score_thr is .*, expected 0 to 1$'):
            check_score_thr(bad)
