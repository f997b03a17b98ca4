"""Rotation as a class: the four turns by hand, seeds, bad images."""

import numpy as np
import pytest

from mmssl.datasets.transforms.pretext.rotation import RotationTarget, rotate

SQUARE = np.array([[1, 2], [3, 4]], np.uint8)
# Counter-clockwise: the right column comes to the top.
BY_HAND = {0: [[1, 2], [3, 4]], 1: [[2, 4], [1, 3]], 2: [[4, 3], [2, 1]], 3: [[3, 1], [4, 2]]}


def grey_image(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


@pytest.mark.parametrize('turns', range(4))
def test_turns_by_hand(turns):
    assert rotate(grey_image(SQUARE), turns)[..., 0].tolist() == BY_HAND[turns]


@pytest.mark.parametrize('turns', range(4))
def test_turns_are_those_of_numpy(turns):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    rotated = rotate(image, turns)
    assert np.array_equal(rotated, np.rot90(image, turns))
    assert rotated.flags.c_contiguous


def test_label_is_the_rotation_and_all_four_come():
    target = RotationTarget(seed=0)
    labels = []
    for index in range(40):
        results = target({'img': grey_image(SQUARE), 'sample_idx': index})
        assert results['img'][..., 0].tolist() == BY_HAND[results['gt_label']]
        labels.append(results['gt_label'])
    assert set(labels) == {0, 1, 2, 3}


def labels_of(target: RotationTarget) -> list[int]:
    return [target({'img': grey_image(SQUARE), 'sample_idx': index})['gt_label'] for index in range(50)]


def test_seed_fixes_the_question_and_another_seed_asks_another():
    assert labels_of(RotationTarget(seed=1)) == labels_of(RotationTarget(seed=1))
    assert labels_of(RotationTarget(seed=1)) != labels_of(RotationTarget(seed=2))


def test_without_seed_every_epoch_is_another_and_follows_numpy():
    target = RotationTarget()
    np.random.seed(3)
    first, second = labels_of(target), labels_of(target)
    assert first != second
    np.random.seed(3)
    assert labels_of(target) == first


@pytest.mark.parametrize(
    ('image', 'found'),
    [(np.zeros((4, 6, 3), np.uint8), '4x6'), (np.zeros((4, 4, 3), np.float32), 'float32'), (None, 'no img')],
)
def test_bad_image_is_one_line(image, found):
    with pytest.raises(ValueError, match=found) as error:
        RotationTarget()({'img': image, 'img_path': 'a.png'})
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('seed', [-1, 0.5, 'x', True])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match='RotationTarget: seed is .*expected None or a whole number'):
        RotationTarget(seed=seed)


def test_seed_needs_the_position_of_the_sample():
    with pytest.raises(ValueError, match='a.png: no sample_idx'):
        RotationTarget(seed=0)({'img': grey_image(SQUARE), 'img_path': 'a.png'})
