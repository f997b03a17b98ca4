"""Maps of where classes occur, on masks drawn by hand, and the command."""

import importlib.util

import cv2
import numpy as np
import pytest
from mmseg.datasets import BaseSegDataset

from mmssl.apis.class_positions import class_positions, mask_positions

STREETS = 'configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('positions', repository / 'tools/analysis_tools/class_positions.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_area(mask: np.ndarray, index: int, size: tuple[int, int]) -> np.ndarray:
    """Area of each cell that a class covers, by the overlap of every pixel with every cell."""
    overlaps = []
    for pixels, cells in zip(mask.shape, size, strict=True):
        edges, borders = np.arange(pixels + 1) / pixels, np.arange(cells + 1) / cells
        low = np.maximum(edges[:-1][None], borders[:-1][:, None])
        high = np.minimum(edges[1:][None], borders[1:][:, None])
        overlaps.append(np.maximum(high - low, 0) * cells)
    return overlaps[0] @ (mask == index) @ overlaps[1].T


def test_a_mask_by_hand():
    mask = np.array([[0, 0, 1, 255], [0, 2, 1, 255]], dtype=np.uint8)
    maps = mask_positions(mask, 4, (1, 2))
    assert maps[:, 0].tolist() == [[0.75, 0], [0, 0.5], [0.25, 0], [0, 0]]
    assert mask_positions(mask, 2, (2, 4))[0].tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize('size', [(3, 5), (7, 4), (6, 20), (12, 11), (5, 23)])
def test_cells_average_the_area(size):
    """Fewer and more cells than pixels, in no whole proportion."""
    mask = np.random.default_rng(0).integers(0, 4, (7, 11)).astype(np.uint8)
    maps = mask_positions(mask, 4, size)
    for index in range(4):
        np.testing.assert_allclose(maps[index], by_area(mask, index, size), atol=1e-6)
    np.testing.assert_allclose(maps.sum(0), 1, atol=1e-6)


def test_a_dataset_of_two_sizes(tmp_path, mmseg_scope):
    masks = [
        np.array([[0, 0, 1, 255], [0, 2, 1, 255]], dtype=np.uint8),
        np.repeat(np.repeat([[2, 1]], 6, 0), 3, 1).astype(np.uint8),
    ]
    for name in ('images', 'masks'):
        (tmp_path / name).mkdir()
    for index, mask in enumerate(masks):
        cv2.imwrite(str(tmp_path / f'images/{index}.png'), np.zeros((*mask.shape, 3), np.uint8))
        cv2.imwrite(str(tmp_path / f'masks/{index}.png'), mask)
    dataset = BaseSegDataset(
        data_root=str(tmp_path),
        data_prefix={'img_path': 'images', 'seg_map_path': 'masks'},
        img_suffix='.png',
        metainfo={'classes': ('a', 'b', 'c', 'd')},
        pipeline=[
            {'type': 'LoadImageFromFile'},
            {'type': 'mmssl.LoadSegAnnotations', 'num_classes': 4},
            {'type': 'Resize', 'scale': (1, 1)},  # augmentation is left out
        ],
    )
    maps = class_positions(dataset, (1, 2), progress=False)
    assert maps[:, 0].tolist() == [[0.375, 0], [0, 0.75], [0.625, 0], [0, 0]]


def test_camvid(tool, repository, camvid_root, mmseg_scope, monkeypatch, tmp_path):
    """At the size of the masks the maps are the mean of one-hot masks."""
    monkeypatch.chdir(repository)
    config = 'configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py'
    options = ['--cfg-options', 'val_dataloader.dataset.indices=6']
    maps = tool.main([config, '--split', 'val', '--size', '360', '480', '--out', str(tmp_path), *options])
    paths = sorted((camvid_root / 'valannot').iterdir())[:6]
    masks = np.stack([cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths])
    expected = np.stack([(masks == index).mean(0) for index in range(11)])
    np.testing.assert_allclose(maps, expected, atol=1e-7)


def test_command_on_procedural_scenes(tool, repository, mmseg_scope, tmp_path, capsys):
    options = ['--cfg-options', 'train_dataloader.dataset.num_images=3', 'train_dataloader.dataset.size=(64, 64)']
    maps = tool.main([str(repository / STREETS), '--out', str(tmp_path), '--size', '16', '32', *options])
    assert maps.shape == (11, 16, 32)
    sky, road = maps[0], maps[3]
    assert sky[:4].mean() > sky[-4:].mean() == 0
    assert road[-6:].mean() > road[:6].mean() == 0
    stored = np.load(tmp_path / 'class_positions.npz')
    np.testing.assert_allclose(stored['positions'], maps, atol=1e-7)
    assert stored['classes'].tolist()[:4] == ['Sky', 'Building', 'Pole', 'Road']
    assert cv2.imread(str(tmp_path / 'class_positions.png')).std() > 1
    assert 'train: 3 masks' in capsys.readouterr().out


def test_chart(tool):
    maps = np.zeros((5, 4, 8))
    maps[0], maps[1, 0] = 0.5, 0.04
    figure = tool.chart_of(maps, ('road', 'sky', 'tram', 'bus', 'car'), 'class', 'title')
    fields = [axis for axis in figure.axes if axis.axison]
    captions = [axis.get_title() for axis in fields]
    assert captions == ['road: 50 %, black 50 %', 'sky: 1 %, black 4 %', 'tram', 'bus', 'car']
    assert [len(axis.images) for axis in fields] == [1, 1, 0, 0, 0]
    assert [axis.texts[0].get_text() for axis in fields[2:]] == ['does not occur'] * 3
    road, sky = (axis.images[0] for axis in fields[:2])
    assert (road.get_clim(), sky.get_clim()) == ((0, 0.5), (0, 0.04))
    assert road.cmap(0.0)[:3] == (1, 1, 1)  # dark is frequent
    assert road.cmap(1.0)[:3] == (0, 0, 0)
    common = tool.chart_of(maps, ('road', 'sky', 'tram', 'bus', 'car'), 'common', '')
    assert common.axes[1].images[0].get_clim() == (0, 0.5)


def test_bad_input(tool, mmseg_scope):
    with pytest.raises(ValueError, match="no key 'train_dataloader'"):
        tool.main(['mmseg::_base_/models/erfnet_fcn.py'])
    with pytest.raises(SystemExit):
        tool.main([STREETS, '--size', '0', '8'])
