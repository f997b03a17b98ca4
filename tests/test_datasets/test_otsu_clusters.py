"""Otsu thresholds against scikit-image, exact arithmetic and hand-made histograms; the clusters as a target."""

import itertools
import time
import warnings
from fractions import Fraction

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from skimage.filters import threshold_multiotsu

from mmssl.datasets.transforms.pretext.otsu_clusters import OtsuTarget, grey_clusters
from mmssl.datasets.transforms.pretext.otsu_thresholds import otsu_thresholds


def exact_score(histogram, thresholds) -> Fraction:
    """Sum of (sum of values)**2 / pixels over the classes: the between-class variance but for constants."""
    score, start = Fraction(0), 0
    for end in [*(int(t) + 1 for t in thresholds), len(histogram)]:
        pixels = sum(int(histogram[level]) for level in range(start, end))
        if pixels:
            score += Fraction(sum(level * int(histogram[level]) for level in range(start, end)) ** 2, pixels)
        start = max(end, start)
    return score


def slow_thresholds(histogram, classes) -> list[int]:
    """All combinations in lexicographic order, exact; the first of the best."""
    combinations = itertools.combinations(range(len(histogram) - 1), classes - 1)
    return list(max(combinations, key=lambda thresholds: exact_score(histogram, thresholds)))


def real_images(camvid_root, coco128_root) -> list[np.ndarray]:
    paths = sorted((camvid_root / 'train').glob('*.png'))[::8] + sorted(coco128_root.rglob('*.jpg'))[::2]
    assert len(paths) > 100
    return [cv2.imread(str(path)) for path in paths]


def test_real_images_against_scikit_image(camvid_root, coco128_root):
    """Equal, or at most one level away with the higher variance in exact arithmetic."""
    equal = compared = 0
    for image in real_images(camvid_root, coco128_root):
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        histogram = np.bincount(grey.ravel(), minlength=256)
        pixels, total = int(histogram.sum()), int(grey.sum(dtype=np.int64))
        for classes in (2, 3, 4):
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                theirs = threshold_multiotsu(grey, classes)
            ours = otsu_thresholds(histogram, classes)
            compared += 1
            equal += np.array_equal(ours, theirs)
            if not np.array_equal(ours, theirs):
                assert np.abs(ours - theirs).max() == 1
                best = exact_score(histogram, ours)
                gain = (best - exact_score(histogram, theirs)) / (best - Fraction(total**2, pixels))
                assert 0 < gain < 1e-5
    assert equal / compared > 0.97


@pytest.mark.parametrize('classes', [2, 3, 4])
@pytest.mark.parametrize('levels', [5, 9, 12])
def test_small_histograms_against_all_combinations(classes, levels):
    generator = np.random.default_rng(levels)
    for _ in range(30):
        histogram = generator.integers(0, 4, levels)
        # fewer levels than classes have a rule of their own
        histogram[: classes + 1] += 1
        assert otsu_thresholds(histogram, classes).tolist() == slow_thresholds(histogram, classes)


@pytest.mark.parametrize(
    ('levels', 'classes', 'expected'),
    [
        # two, three and four well separated groups: the thresholds are the last levels of the groups
        ({10: 5, 12: 5, 200: 5, 202: 5}, 2, [12]),
        ({10: 5, 12: 5, 100: 9, 101: 1, 250: 3, 252: 3}, 3, [12, 101]),
        ({0: 4, 2: 4, 80: 4, 82: 4, 160: 4, 162: 4, 250: 4, 255: 4}, 4, [2, 82, 162]),
        # as many levels as classes
        ({7: 1, 9: 100}, 2, [7]),
        ({0: 3, 1: 3, 255: 1}, 3, [0, 1]),
        # three equal levels: {0}{1, 2} and {0, 1}{2} are as good (0 + 9/2 = 1/2 + 4), the first is taken
        ({0: 1, 1: 1, 2: 1}, 2, [0]),
        ({7: 1, 8: 1, 9: 1}, 2, [7]),
        ({1: 3, 3: 3, 5: 3, 7: 3, 9: 3, 11: 3, 13: 3}, 3, [3, 7]),
    ],
)
def test_hand_made_histograms(levels, classes, expected):
    histogram = np.zeros(256, np.int64)
    histogram[list(levels)] = list(levels.values())
    assert otsu_thresholds(histogram, classes).tolist() == expected
    assert otsu_thresholds(histogram.astype(np.float32), classes).tolist() == expected


def test_four_classes_tie_goes_to_the_first():
    """Seven equal levels: classes of 1, 2, 2 and 2 in any order are as good; the first is 0 | 1 2 | 3 4 | 5 6."""
    histogram = np.full(7, 1000)
    assert otsu_thresholds(histogram, 4).tolist() == slow_thresholds(histogram, 4) == [0, 2, 4]


@pytest.mark.parametrize(
    ('levels', 'expected'), [([9], [9, 9, 9]), ([3, 200], [3, 200, 200]), ([0, 5, 255], [0, 5, 255])]
)
def test_fewer_levels_than_classes(levels, expected):
    histogram = np.zeros(256)
    histogram[levels] = 10
    assert otsu_thresholds(histogram, 4).tolist() == expected
    image = np.repeat(np.uint8(levels)[None, :, None], 3, axis=2)
    assert grey_clusters(image, 4).tolist() == [list(range(len(levels)))]


@pytest.mark.parametrize(
    ('histogram', 'message'),
    [
        (np.zeros(256), 'at least one pixel'),
        (np.ones((2, 3)), r'shape \(2, 3\)'),
        (np.array([3, -1, 2]), 'no negative value'),
    ],
)
def test_wrong_histograms_are_told(histogram, message):
    with pytest.raises(ValueError, match=message):
        otsu_thresholds(histogram, 2)


def test_faster_than_scikit_image_on_one_image(camvid_root):
    """Histogram and thresholds of both, in turns, on 512x1024 and four classes: 1 against 36 ms when written."""
    path = sorted((camvid_root / 'train').glob('*.png'))[0]
    grey = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (1024, 512))

    def ours():
        return otsu_thresholds(cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel(), 4)

    def theirs():
        return threshold_multiotsu(grey, 4)

    assert ours().tolist() == theirs().tolist()
    seconds = {ours: [], theirs: []}
    for _ in range(7):
        for function, durations in seconds.items():
            start = time.perf_counter()
            function()
            durations.append(time.perf_counter() - start)
    assert np.median(seconds[ours]) < np.median(seconds[theirs])


def test_clusters_of_a_street_are_those_of_its_thresholds(camvid_root):
    image = cv2.imread(str(sorted((camvid_root / 'val').glob('*.png'))[0]))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    thresholds = threshold_multiotsu(grey, 4)
    clusters = grey_clusters(image, 4)
    assert clusters.dtype == np.uint8
    assert np.array_equal(clusters, sum((grey > threshold).astype(np.uint8) for threshold in thresholds))


def test_at_or_below_the_threshold_is_class_0():
    image = np.repeat(np.uint8([[10, 12, 200, 202], [12, 10, 202, 200]])[..., None], 3, axis=2)
    assert grey_clusters(image, 2).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1]]


def test_the_image_as_it_stands_becomes_the_original():
    """After a resize, a crop and a flip: the sizes are the crop's and nothing is undone."""
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    results = {
        'img': image,
        'img_shape': (40, 60),
        'ori_shape': (400, 600),
        'pad_shape': (48, 64),
        'scale_factor': (0.1, 0.1),
        'flip': True,
        'flip_direction': 'horizontal',
        'seg_fields': [],
    }
    results = OtsuTarget(classes=3)(results)
    assert np.array_equal(results['gt_seg_map'], grey_clusters(image, 3))
    assert results['seg_fields'] == ['gt_seg_map']
    for key in ('img_shape', 'ori_shape', 'pad_shape'):
        assert results[key] == (40, 60)
    assert (results['scale_factor'], results['flip'], results['flip_direction']) == ((1.0, 1.0), False, None)
    assert OtsuTarget(classes=3)(results)['seg_fields'] == ['gt_seg_map']


def test_the_target_moves_with_the_image(mmseg_scope):
    from mmseg.registry import TRANSFORMS

    image = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    steps = [{'type': 'mmssl.OtsuTarget'}, {'type': 'RandomFlip', 'prob': 1.0}, {'type': 'PackSegInputs'}]
    packed = Compose([TRANSFORMS.build(step) for step in steps])({'img': image, 'img_path': 'a.png'})
    target = packed['data_samples'].gt_sem_seg.data[0].numpy()
    assert np.array_equal(target, grey_clusters(image, 4)[:, ::-1])


@pytest.mark.parametrize('classes', [1, 5, 2.5, '3', True, None])
def test_other_numbers_of_classes_are_refused(classes):
    with pytest.raises(ValueError, match='OtsuTarget: classes=.*, expected a whole number from 2 to 4'):
        OtsuTarget(classes=classes)
    with pytest.raises(ValueError, match='otsu_thresholds: classes='):
        otsu_thresholds(np.ones(256), classes)


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (np.zeros((4, 6), np.uint8), r'a\.png: OtsuTarget found an image of shape \(4, 6\) and type uint8'),
        (np.zeros((4, 6, 3), np.float32), r'type float32, expected \(H, W, 3\) uint8'),
        (None, 'OtsuTarget: the sample has no img'),
    ],
)
def test_other_images_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        OtsuTarget()({'img_path': 'a.png', **({} if image is None else {'img': image})})
