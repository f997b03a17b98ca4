import numpy as np
import pytest

from mmssl.visualization.prediction_picture import GAP, prediction_picture, prediction_sheet

PALETTE = [[255, 0, 0], [0, 255, 0]]


def test_panels_stand_side_by_side():
    image = np.full((10, 20, 3), 100, np.uint8)
    truth, prediction = np.zeros((10, 20), int), np.ones((10, 20), int)
    picture = prediction_picture(image, truth, prediction, PALETTE, alpha=0.5)
    assert picture.shape == (10, 3 * 20 + 2 * GAP, 3)
    assert picture[5, 10].tolist() == [100, 100, 100]
    assert picture[5, 20 + GAP + 10].tolist() == [178, 50, 50]  # half of (255, 0, 0), half of grey, 177.5 to even
    assert picture[5, 40 + 2 * GAP + 10].tolist() == [50, 178, 50]
    assert picture[5, 20].tolist() == [255, 255, 255]


def test_an_image_of_another_size_is_resized():
    picture = prediction_picture(np.zeros((5, 10, 3), np.uint8), None, np.zeros((10, 20), int), PALETTE)
    assert picture.shape == (10, 2 * 20 + GAP, 3)


def test_a_sheet_holds_all_pictures_and_a_legend():
    picture = np.full((30, 3 * 100 + 2 * GAP, 3), 7, np.uint8)
    sheet = prediction_sheet([picture, picture], ['road', 'sky'], PALETTE)
    assert sheet.shape[1] == picture.shape[1]
    assert (sheet == 7).all(axis=2).sum() >= 2 * 30 * picture.shape[1]
    assert (sheet == PALETTE[1]).all(axis=2).sum() == 18 * 18


def test_pictures_of_two_widths_are_refused():
    with pytest.raises(ValueError, match=r'widths \[10, 20\] found'):
        prediction_sheet([np.zeros((5, 10, 3), np.uint8), np.zeros((5, 20, 3), np.uint8)], ['a'], [[1, 2, 3]])
