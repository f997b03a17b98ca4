import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmseg.datasets import BaseSegDataset

from mmssl.datasets import CamVidDataset
from mmssl.datasets.class_frequencies import class_frequencies, count_classes, fingerprint, load_mask

MASKS = [
    np.array([[0, 0, 1, 255], [0, 2, 1, 255]], dtype=np.uint8),
    np.array([[2, 2, 2, 2], [2, 2, 255, 0]], dtype=np.uint8),
]


@pytest.fixture
def make_dataset(tmp_path, mmseg_scope):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'masks').mkdir()
    for index, mask in enumerate(MASKS):
        cv2.imwrite(str(tmp_path / f'images/{index}.png'), np.zeros((*mask.shape, 3), np.uint8))
        cv2.imwrite(str(tmp_path / f'masks/{index}.png'), mask)

    def make(pipeline=({'type': 'LoadImageFromFile'}, {'type': 'mmssl.LoadSegAnnotations', 'num_classes': 4})):
        return BaseSegDataset(
            data_root=str(tmp_path),
            data_prefix={'img_path': 'images', 'seg_map_path': 'masks'},
            img_suffix='.png',
            metainfo={'classes': ('a', 'b', 'c', 'd')},
            pipeline=list(pipeline),
        )

    return make


def test_counts_by_hand(make_dataset):
    assert count_classes(make_dataset(), 4, progress=False).tolist() == [4, 2, 7, 0]
    assert class_frequencies(make_dataset()).tolist() == [4 / 13, 2 / 13, 7 / 13, 0]


def test_augmentation_is_left_out(make_dataset):
    pipeline = [
        {'type': 'LoadImageFromFile'},
        {'type': 'mmssl.LoadSegAnnotations', 'num_classes': 4},
        {'type': 'Resize', 'scale': (2, 2)},
        {'type': 'PackSegInputs'},
    ]
    dataset = make_dataset(pipeline)
    assert np.array_equal(load_mask(dataset, 0), MASKS[0])


def test_wrappers_count_what_they_hold(make_dataset):
    both = ConcatDataset([make_dataset(), make_dataset()])
    assert count_classes(both, 4, progress=False).tolist() == [8, 4, 14, 0]
    assert count_classes(RepeatDataset(make_dataset(), times=3), 4, progress=False).tolist() == [4, 2, 7, 0]


def test_counted_once_then_read(make_dataset, tmp_path, monkeypatch):
    cache = tmp_path / 'cache'
    first = class_frequencies(make_dataset(), cache)
    (stored,) = cache.iterdir()
    assert json.loads(stored.read_text())['counts'] == [4, 2, 7, 0]
    monkeypatch.setattr('mmssl.datasets.class_frequencies.count_classes', lambda *_: pytest.fail('counted again'))
    assert np.array_equal(class_frequencies(make_dataset(), cache), first)


def test_a_changed_mask_or_list_is_counted_again(make_dataset, tmp_path):
    before = fingerprint(make_dataset(), 4)
    assert fingerprint(make_dataset(), 4) == before
    assert fingerprint(make_dataset(), 5) != before
    cv2.imwrite(str(tmp_path / 'masks/1.png'), np.zeros((2, 4), np.uint8))
    after = fingerprint(make_dataset(), 4)
    assert after != before
    shorter = make_dataset()
    assert fingerprint(shorter.get_subset(1) or shorter, 4) != after


def test_without_labelled_pixels_it_is_told(make_dataset, tmp_path):
    for index in range(2):
        cv2.imwrite(str(tmp_path / f'masks/{index}.png'), np.full((2, 4), 255, np.uint8))
    with pytest.raises(ValueError, match='none of the 2 masks has a labelled pixel'):
        class_frequencies(make_dataset())


def test_a_pipeline_without_masks_is_told(make_dataset):
    with pytest.raises(ValueError, match='no transform of its pipeline loads masks'):
        load_mask(make_dataset([{'type': 'LoadImageFromFile'}]), 0)


def test_camvid(camvid_root, mmseg_scope):
    """Against a plain count over the files; 11 is void and counts nowhere."""
    dataset = CamVidDataset(
        data_root=str(camvid_root),
        data_prefix={'img_path': 'val/', 'seg_map_path': 'valannot/'},
        pipeline=[{'type': 'mmssl.LoadImage'}, {'type': 'mmssl.LoadSegAnnotations'}],
    )
    total = np.zeros(256, dtype=np.int64)
    for path in sorted(Path(camvid_root, 'valannot').glob('*.png')):
        total += np.bincount(cv2.imread(str(path), cv2.IMREAD_UNCHANGED).ravel(), minlength=256)
    assert total[11] > 0
    frequencies = class_frequencies(dataset)
    assert np.allclose(frequencies, total[:11] / total[:11].sum(), rtol=1e-12)
