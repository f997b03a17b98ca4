"""Pure checks of masks: every text, every border."""

import numpy as np
import pytest

from mmssl.datasets.label_checks import check_ids, check_same_size, id_table, mask_to_uint8
from mmssl.errors import DataError


def error_of(function, *args, kind=DataError, **kwargs) -> str:
    with pytest.raises(kind) as caught:
        function(*args, **kwargs)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_colour_mask_is_refused_and_grey_rgb_accepted():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    colour = np.dstack([grey, grey, grey])
    np.testing.assert_array_equal(mask_to_uint8(colour, 'm.png'), grey)
    opaque = np.dstack([colour, np.full_like(grey, 255)])
    np.testing.assert_array_equal(mask_to_uint8(opaque, 'm.png'), grey)
    colour[2, 3, 1] += 1  # one pixel is enough
    assert error_of(mask_to_uint8, colour, 'm.png') == (
        'm.png: the mask is in colour; expected one channel that holds class ids'
    )
    assert error_of(mask_to_uint8, colour[..., :2], 'm.png') == (
        'm.png: the mask decodes to 3x4x2 values; expected one channel that holds class ids'
    )


def test_wide_masks_keep_small_ids_and_refuse_large_ones():
    wide = np.array([[0, 10], [255, 7]], dtype=np.uint16)
    narrow = mask_to_uint8(wide, 'm.png')
    assert narrow.dtype == np.uint8
    assert narrow.tolist() == [[0, 10], [255, 7]]
    wide[0, 0] = 256  # would wrap around to class 0
    assert error_of(mask_to_uint8, wide, 'm.png') == (
        'm.png: the mask has 16 bits and ids from 7 to 256; expected ids in 0..255'
    )
    signed = np.array([[-1, 3]], dtype=np.int32)
    assert error_of(mask_to_uint8, signed, 'm.png') == (
        'm.png: the mask has 32 bits and ids from -1 to 3; expected ids in 0..255'
    )
    assert (
        error_of(mask_to_uint8, wide / 2, 'm.png') == 'm.png: the mask holds float64 values; expected integer class ids'
    )
    assert mask_to_uint8(np.array([[True, False]]), 'm.png').tolist() == [[1, 0]]


def test_sizes():
    check_same_size((4, 5), (4, 5), 'm.png', 'i.png')
    assert error_of(check_same_size, (4, 5), (5, 4), 'm.png', 'i.png') == (
        'm.png: the mask has 4x5 pixels (height x width), its image i.png has 5x4'
    )


def test_table_of_plain_classes():
    table, allowed = id_table(3)
    assert np.flatnonzero(allowed).tolist() == [0, 1, 2, 255]
    assert table[[0, 1, 2, 255]].tolist() == [0, 1, 2, 255]


@pytest.mark.parametrize('label_map', [None, {0: 1, 1: 255, 2: 0}])
@pytest.mark.parametrize('reduce_zero_label', [False, True])
def test_table_does_what_mmseg_does(label_map, reduce_zero_label, tmp_path, mmseg_scope):
    """On every id that is allowed, the table gives what mmseg's LoadAnnotations gives."""
    from mmseg.datasets.transforms import LoadAnnotations
    from PIL import Image

    table, allowed = id_table(3, label_map, reduce_zero_label)
    ids = np.flatnonzero(allowed).astype(np.uint8)
    assert ids.tolist() == ([0, 1, 2, 3, 255] if reduce_zero_label else [0, 1, 2, 255])
    Image.fromarray(ids[None]).save(tmp_path / 'm.png')
    sample = {
        'seg_map_path': str(tmp_path / 'm.png'),
        'label_map': label_map,
        'reduce_zero_label': reduce_zero_label,
        'seg_fields': [],
    }
    np.testing.assert_array_equal(table[ids], LoadAnnotations()(sample)['gt_seg_map'].ravel())


def test_label_map_alone_says_what_is_allowed():
    table, allowed = id_table(None, {0: 0, 1: 1, 11: 255})
    assert np.flatnonzero(allowed).tolist() == [0, 1, 11, 255]
    assert table[11] == 255


def test_ignore_index_becomes_255():
    table, allowed = id_table(3, ignore_index=7)
    assert np.flatnonzero(allowed).tolist() == [0, 1, 2, 7, 255]
    assert table[7] == 255


def test_bad_tables():
    assert error_of(id_table, kind=ValueError) == (
        'num_classes is not known: set LoadSegAnnotations(num_classes=...) or use a dataset of mmssl'
    )
    assert error_of(id_table, 256, kind=ValueError) == (
        'num_classes=256; expected 1..255, masks have 8 bits and 255 is ignored'
    )
    assert error_of(id_table, 3, ignore_index=-1, kind=ValueError) == 'ignore_index holds -1; expected ids in 0..255'
    assert error_of(id_table, 2, {0: 0, 1: 2}, kind=ValueError) == 'label_map maps to [2]; expected 0..1 or 255'


def test_ids_outside_the_classes():
    _, allowed = id_table(11, {**{i: i for i in range(11)}, 11: 255})
    check_ids(np.array([[0, 10], [11, 255]], dtype=np.uint8), allowed, 'm.png')
    bad = np.array([[0, 12, 13], [14, 200, 255]], dtype=np.uint8)
    assert error_of(check_ids, bad, allowed, 'm.png') == (
        'm.png: the mask holds the ids 12..14, 200; expected 0..11, 255'
    )


@pytest.mark.parametrize('seed', range(20))
def test_fast_check_agrees_with_a_set(seed):
    """The short cut over the maximum and the table agree with Python sets, for any allowed ids."""
    rng = np.random.default_rng(seed)
    allowed = np.zeros(256, dtype=bool)
    allowed[: rng.integers(0, 256)] = True
    allowed[rng.integers(0, 256, size=3)] = True
    allowed[255] = rng.random() < 0.8
    for _ in range(20):
        pool = np.flatnonzero(allowed) if rng.random() < 0.5 and allowed.any() else np.arange(256)
        mask = rng.choice(pool, size=(5, 6)).astype(np.uint8)
        good = set(mask.ravel().tolist()) <= set(np.flatnonzero(allowed).tolist())
        try:
            check_ids(mask, allowed, 'm.png')
            assert good
        except DataError:
            assert not good
