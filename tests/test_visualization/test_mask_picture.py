"""Overlays, counts and the way back from the network's input to a picture."""

import numpy as np
import pytest
import torch
from mmseg.models.data_preprocessor import SegDataPreProcessor

from mmssl.visualization.contact_sheet import LINE, contact_sheet, legend
from mmssl.visualization.mask_picture import INVALID_COLOUR, count_ids, distinct_palette, fit_mask, overlay_mask
from mmssl.visualization.preprocessed_images import to_pictures


@pytest.mark.parametrize('dtype', [np.uint8, np.int64])
def test_overlay_by_hand(dtype):
    image = np.full((8, 8, 3), 100, dtype=np.uint8)
    mask = np.zeros((8, 8), dtype=dtype)
    mask[:, 4:] = 1
    mask[4:] = 255
    mask[0, 0] = 7
    picture = overlay_mask(image, mask, [[200, 0, 50], [0, 0, 0]], alpha=0.25)
    assert picture[1, 1].tolist() == [125, 75, 88]  # 87.5 is rounded to even
    assert picture[1, 5].tolist() == [75, 75, 75]
    assert tuple(picture[0, 0]) == INVALID_COLOUR
    # Stripes along row + column, period 8: black, black, white, then the image.
    assert picture[4, :, 0].tolist() == [100, 100, 100, 100, 0, 0, 255, 100]
    assert picture[5, :, 0].tolist() == [100, 100, 100, 0, 0, 255, 100, 100]
    assert (image == 100).all()


def test_ignored_id_inside_the_classes():
    mask = np.array([[0, 1]])
    picture = overlay_mask(np.zeros((1, 2, 3), np.uint8), mask, [[9, 9, 9]] * 2, ignore_index=0, alpha=1)
    assert picture[0].tolist() == [[0, 0, 0], [9, 9, 9]]
    assert count_ids(mask, 2, ignore_index=0).tolist() == [0, 1, 1, 0]


def test_counts():
    assert count_ids(np.array([[0, 2, 2], [255, 3, -1]]), 3).tolist() == [1, 0, 2, 1, 2]


def test_fit_mask():
    mask = np.array([[1, 2], [3, 4]])
    fitted = fit_mask(mask, (5, 7), (0, 3, 0, 1))
    assert fitted[:4, :4].tolist() == np.kron(mask, np.ones((2, 2), int)).tolist()
    assert (fitted[4:] == 255).all()
    assert (fitted[:, 4:] == 255).all()


def test_palette_is_distinct():
    colours = np.array(distinct_palette(30))
    assert colours.min() >= 0
    assert colours.max() <= 255
    distances = np.abs(colours[:, None] - colours[None]).sum(-1) + 1000 * np.eye(30)
    assert distances.min() >= 20


@pytest.mark.parametrize('swap', [True, False])
def test_normalisation_is_undone(swap):
    settings = {'mean': [123.675, 116.28, 103.53], 'std': [58.395, 57.12, 57.375], 'bgr_to_rgb': swap}
    preprocessor = SegDataPreProcessor(**settings)
    bgr = torch.randint(0, 256, (2, 3, 5, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    inputs = preprocessor({'inputs': list(bgr)})['inputs']
    pictures = to_pictures(inputs, preprocessor, rgb=swap)
    assert np.array_equal(np.stack(pictures), bgr.flip(1).permute(0, 2, 3, 1).numpy())


def test_sheet_places_pictures():
    pictures = [np.full((10, 20, 3), value, np.uint8) for value in (10, 20, 30)]
    sheet = contact_sheet([[picture, picture] for picture in pictures], ['a', 'b', 'c'], columns=2)
    width = 2 * 22 + 6
    assert sheet.shape == (2 * (10 + LINE + 6), 2 * width, 3)
    assert (sheet[LINE : LINE + 10, :20] == 10).all()
    assert (sheet[LINE : LINE + 10, width : width + 20] == 20).all()
    assert (sheet[-16:-6, 22:42] == 30).all()
    with pytest.raises(ValueError, match='1 groups and 0 captions'):
        contact_sheet([pictures], [])


def test_legend_shows_every_swatch():
    entries = [(f'class {value}', np.full((LINE, LINE, 3), value, np.uint8)) for value in (40, 80, 120)]
    picture = legend(entries, 150)
    for value in (40, 80, 120):
        assert (picture == value).all(-1).sum() >= LINE * LINE
