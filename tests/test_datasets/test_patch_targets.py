"""Jigsaw and relative patch on numbered puzzles and on images whose pixels know their places."""

import re

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose

from mmssl.datasets.transforms.pretext.jigsaw import JigsawTarget
from mmssl.datasets.transforms.pretext.permutations import load_permutations
from mmssl.datasets.transforms.pretext.relative_patch import RelativePatchTarget
from mmssl.errors import DataError, DataNotFoundError
from mmssl.registry import TRANSFORMS


def numbered(side: int = 225) -> np.ndarray:
    """(side, side, 3): cell k, row-major, is grey 10 + 20 k."""
    cells = np.uint8(10 + 20 * np.arange(9)).reshape(3, 3)
    return np.repeat(np.kron(cells, np.ones((side // 3, side // 3), np.uint8))[..., None], 3, axis=2)


def places() -> np.ndarray:
    """(225, 225, 3): blue is the row of a pixel, green its column, red 7."""
    rows, columns = np.mgrid[:225, :225].astype(np.uint8)
    return np.dstack([rows, columns, np.full_like(rows, 7)])


def sample(image: np.ndarray, index: int = 0) -> dict:
    return {'img': image.copy(), 'img_path': 'a.png', 'img_shape': image.shape[:2], 'sample_idx': index}


def cell_of(patch: np.ndarray) -> int:
    """Number of a patch of :func:`numbered`, which must not touch a second cell."""
    (grey,) = np.unique(patch)
    return (int(grey) - 10) // 20


@pytest.mark.parametrize('side', [225, 450, 900, 75])
def test_a_numbered_puzzle_is_shuffled_as_the_permutation_says(side):
    target, rows = JigsawTarget(), load_permutations(100)
    for _ in range(20):
        results = target(sample(numbered(side)))
        assert results['img'].shape == (9, 3, 64, 64)
        assert results['img'].dtype == np.uint8
        assert results['img'].flags['C_CONTIGUOUS']
        assert results['img_shape'] == (64, 64)
        permutation = rows[results['gt_label']].tolist()
        assert results['permutation'].tolist() == permutation
        if side >= 225:  # a smaller image has bilinear seams within the patches
            assert [cell_of(patch) for patch in results['img']] == permutation
        else:
            assert [(int(np.median(patch)) - 10) // 20 for patch in results['img']] == permutation


def test_putting_the_pieces_back_solves_the_puzzle():
    results = JigsawTarget(permutations=1000, num_permutations=1000)(sample(places()))
    board = np.zeros((9, 3, 64, 64), np.uint8)
    board[results['permutation']] = results['img']
    for cell, patch in enumerate(board):
        row, column = int(patch[0, 0, 0]), int(patch[1, 0, 0])
        assert (row // 75, column // 75) == divmod(cell, 3)
        assert np.array_equal(patch, places()[row : row + 64, column : column + 64].transpose(2, 0, 1))


def test_patches_stay_in_their_cells_and_use_every_offset():
    """From 0 to 75 - 64 = 11, rows and columns apart, in each of the nine cells."""
    target = JigsawTarget(seed=0)
    corners = np.zeros((300, 9, 2), int)
    for index in range(300):
        results = target(sample(places(), index))
        corners[index, results['permutation']] = results['img'][:, :2, 0, 0]
    offsets = corners - 75 * np.array([divmod(cell, 3) for cell in range(9)])
    for cell in range(9):
        for axis in range(2):
            assert np.unique(offsets[:, cell, axis]).tolist() == list(range(12))
    counts = np.bincount(offsets.ravel(), minlength=12)
    assert np.abs(counts / offsets.size - 1 / 12).max() < 0.02
    # rows and columns, and neighbouring cells, are drawn apart: 0 but for chance (0.06 is one standard deviation)
    assert abs(np.corrcoef(offsets[:, 0, 0], offsets[:, 0, 1])[0, 1]) < 0.2
    assert abs(np.corrcoef(offsets[:, 0, 0], offsets[:, 1, 0])[0, 1]) < 0.2


@pytest.mark.parametrize(
    ('label', 'row', 'column'),
    [(0, 0, 0), (1, 0, 1), (2, 0, 2), (3, 1, 0), (4, 1, 2), (5, 2, 0), (6, 2, 1), (7, 2, 2)],
)
def test_relative_patch_labels(label, row, column):
    """Row-major around the centre, which is no answer."""
    target = RelativePatchTarget(seed=4)
    all_results = [target(sample(places(), index)) for index in range(100)]
    found = [results for results in all_results if results['gt_label'] == label]
    assert found
    for results in found:
        assert results['img'].shape == (2, 3, 64, 64)
        centre, neighbour = results['img'][:, :2]  # of each patch its rows and its columns
        assert (centre[:, 0, 0] // 75).tolist() == (centre[:, 63, 63] // 75).tolist() == [1, 1]
        assert (neighbour[:, 0, 0] // 75).tolist() == (neighbour[:, 63, 63] // 75).tolist() == [row, column]


def test_labels_are_drawn_evenly():
    """4000 draws: 40 of each permutation and 500 of each neighbour, within five standard deviations."""
    tiny = {'grid_size': 3, 'patch_size': 1}
    pixels = sample(np.zeros((3, 3, 3), np.uint8))
    jigsaw, relative = JigsawTarget(**tiny), RelativePatchTarget(**tiny)
    np.random.seed(0)
    of_jigsaw = np.bincount([jigsaw(dict(pixels))['gt_label'] for _ in range(4000)], minlength=100)
    of_relative = np.bincount([relative(dict(pixels))['gt_label'] for _ in range(4000)], minlength=8)
    assert len(of_jigsaw) == 100
    assert len(of_relative) == 8
    assert np.abs(of_jigsaw - 40).max() < 5 * 40**0.5
    assert np.abs(of_relative - 500).max() < 5 * (500 * 7 / 8) ** 0.5


@pytest.mark.parametrize('kind', [JigsawTarget, RelativePatchTarget])
def test_a_seed_fixes_the_question_of_a_sample(kind):
    def ask(target, index):
        results = target(sample(places(), index))
        return results['gt_label'], results['img'].tobytes()

    target = kind(seed=5)
    first = [ask(target, index) for index in range(20)]
    np.random.seed(3)
    assert [ask(kind(seed=5), index) for index in range(20)] == first
    assert len(set(first)) == 20
    assert all(a != b for a, b in zip(first, [ask(kind(seed=6), index) for index in range(20)], strict=True))


@pytest.mark.parametrize('kind', [JigsawTarget, RelativePatchTarget])
def test_without_a_seed_every_draw_is_another_one(kind):
    def draw(number=20):
        return [kind()(sample(places()))['img'].tobytes() for _ in range(number)]

    np.random.seed(0)
    first = draw()
    assert len(set(first)) == 20
    assert not set(first) & set(draw())
    np.random.seed(0)  # as mmengine does in every worker
    assert draw() == first


def test_patch_transforms_change_each_patch_by_itself():
    """All cells are grey 100: brightness 0.5 to 1.5 makes 50 to 150, another one in each patch."""
    jitter = [{'type': 'mmssl.RandomColorJitter', 'brightness': 0.5}]
    image = np.full((225, 225, 3), 100, np.uint8)
    results = JigsawTarget(patch_transforms=jitter, seed=0)(sample(image))
    greys = [np.unique(patch) for patch in results['img']]
    assert all(len(grey) == 1 and 49 <= grey[0] <= 151 for grey in greys)
    assert len(set(np.concatenate(greys).tolist())) >= 7
    plain = JigsawTarget(seed=0)(sample(image))
    assert (plain['img'] == 100).all()
    assert plain['gt_label'] == results['gt_label']


def test_patch_transforms_do_not_reach_the_input():
    """The patches are views of the image until they are stacked."""

    def darken(results):
        results['img'] //= 2
        return results

    image = numbered()
    results = {'img': image, 'img_path': 'a.png'}
    patches = RelativePatchTarget(patch_transforms=[darken])(results)['img']
    assert (patches[0] == 90 // 2).all()
    assert np.array_equal(image, numbered())


def test_random_region_of_the_host_before_them(camvid_root):
    """mmpretrain's RandomResizedCrop: the patches are cut out of its very output, and they get packed as they are."""
    path = str(sorted((camvid_root / 'train').glob('*.png'))[0])
    # `permutation` may be packed, for pictures of solved puzzles
    pack = {'type': 'mmpretrain.PackInputs', 'algorithm_keys': ('permutation',)}
    steps = [
        {'type': 'mmssl.LoadImage'},
        {'type': 'mmpretrain.RandomFlip', 'prob': 0.5},
        {'type': 'mmssl.RandomTranslate', 'max_shift': 2},
        {'type': 'mmpretrain.RandomResizedCrop', 'scale': 225},
    ]
    region = Compose([TRANSFORMS.build(step) for step in steps])
    for kind, patches in (('mmssl.JigsawTarget', 9), ('mmssl.RelativePatchTarget', 2)):
        whole = Compose([TRANSFORMS.build(step) for step in [*steps, {'type': kind, 'seed': 1}]])
        for index in range(4):
            np.random.seed(index)
            cropped = region({'img_path': path, 'sample_idx': index})['img']
            assert cropped.shape == (225, 225, 3)
            np.random.seed(index)
            results = whole({'img_path': path, 'sample_idx': index})
            for patch in results['img']:
                scores = cv2.matchTemplate(cropped, np.ascontiguousarray(patch.transpose(1, 2, 0)), cv2.TM_SQDIFF)
                _, _, (column, row), _ = cv2.minMaxLoc(scores)
                assert np.array_equal(cropped[row : row + 64, column : column + 64], patch.transpose(1, 2, 0))
            if kind == 'mmssl.JigsawTarget':
                packed = TRANSFORMS.build(pack)(results)
                assert packed['data_samples'].gt_label.tolist() == [results['gt_label']]
                assert packed['data_samples'].permutation.tolist() == results['permutation'].tolist()
                assert tuple(packed['inputs'].shape) == (patches, 3, 64, 64)
                assert np.array_equal(packed['inputs'].numpy(), results['img'])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'grid_size': 224}, 'grid_size=224, expected a positive multiple of 3'),
        ({'grid_size': 0}, 'grid_size=0, expected a positive multiple of 3'),
        ({'patch_size': 76}, 'patch_size=76, expected 1 to 75'),
        ({'patch_size': 0}, 'patch_size=0, expected 1 to 75'),
        ({'seed': -1}, 'seed is -1, expected None or a whole number from 0 up'),
    ],
)
@pytest.mark.parametrize('kind', [JigsawTarget, RelativePatchTarget])
def test_options_that_do_not_fit(kind, options, message):
    with pytest.raises(ValueError, match=f'^{kind.__name__}: {message}$'):
        kind(**options)


def test_options_of_the_jigsaw(tmp_path):
    with pytest.raises(DataError, match=r'9_pieces_100.txt: 100 permutations found, 64 expected$'):
        JigsawTarget(num_permutations=64)
    with pytest.raises(DataNotFoundError, match='none.txt: the file of permutations does not exist'):
        JigsawTarget(permutations=tmp_path / 'none.txt')
    with pytest.raises(TypeError, match='permutation_file'):
        JigsawTarget(permutation_file='a.txt')
    own = tmp_path / 'own.txt'
    own.write_text('8 7 6 5 4 3 2 1 0\n')
    results = JigsawTarget(permutations=str(own), num_permutations=1)(sample(numbered()))
    assert (results['gt_label'], [cell_of(patch) for patch in results['img']]) == (0, [8, 7, 6, 5, 4, 3, 2, 1, 0])


def test_a_changed_permutation_does_not_reach_the_next_sample():
    target = JigsawTarget(seed=0)
    target(sample(numbered()))['permutation'][:] = 0
    assert sorted(target(sample(numbered()))['permutation'].tolist()) == list(range(9))


@pytest.mark.parametrize('kind', [JigsawTarget, RelativePatchTarget])
def test_samples_that_do_not_fit(kind):
    name = kind.__name__
    with pytest.raises(ValueError, match=f'^{name}: the sample has no img'):
        kind()({'img_path': 'a.png'})
    grey = re.escape(f'a.png: {name} found an image of shape (9, 9) and type uint8, expected (H, W, 3) uint8 in BGR')
    with pytest.raises(ValueError, match=f'^{grey}$'):
        kind()({'img': np.zeros((9, 9), np.uint8), 'img_path': 'a.png'})
    with pytest.raises(ValueError, match=r'^a.png: no sample_idx, expected a dataset that sets it \(seed=0\)$'):
        kind(seed=0)({'img': numbered(), 'img_path': 'a.png'})
    resize = [{'type': 'mmcv.Resize', 'scale': (32, 32)}]
    with pytest.raises(ValueError, match=rf'^a.png: patch_transforms of {name} made a patch of shape \(32, 32, 3\)'):
        kind(patch_transforms=resize)(sample(numbered()))
