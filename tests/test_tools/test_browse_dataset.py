"""What browse_dataset.py draws and counts, on CamVid."""

import importlib.util

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmssl.datasets.rendering import render_street_scene

CONFIG = 'configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py'
JOINT = 'configs/multi_task/joint-all_erfnet_1xb4-1000i_camvid-1of8-96x128.py'
PLAIN = 'configs/classmix/supervised_erfnet_1xb4-1000i_camvid-1of8-96x128.py'


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('browse', repository / 'tools/visualizations/browse_dataset.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def at_root(repository, monkeypatch):
    monkeypatch.chdir(repository)


def test_training_split(tool, at_root, camvid_root, mmseg_scope, tmp_path, capsys):
    command = [CONFIG, '--number', '5', '--batch', '4', '--out', str(tmp_path), '--single', '--alpha', '1']
    counts = tool.main(command)
    sheets = sorted(path.name for path in tmp_path.glob('*sheet*'))
    assert sheets == ['train_sheet_00000.png', 'train_sheet_00004.png']
    overlays = [cv2.imread(str(path))[..., ::-1] for path in sorted(tmp_path.glob('*_overlay.png'))]
    assert len(overlays) == 5
    assert {overlay.shape for overlay in overlays} == {(192, 256, 3)}
    assert counts.sum() == 5 * 192 * 256
    # With alpha 1 every pixel of a class has its colour: the pictures can be counted.
    sky = sum((overlay == (128, 128, 128)).all(-1).sum() for overlay in overlays)
    road = sum((overlay == (128, 64, 128)).all(-1).sum() for overlay in overlays)
    assert counts[3] == road > 0.1 * counts.sum()
    assert counts[0] == pytest.approx(sky, rel=0.01)  # an ignored pixel of the photograph can be this grey
    assert counts[11] > 0  # CamVid's void
    assert counts[12] == 0
    assert f'{100 * counts[3] / counts.sum():.2f}' in capsys.readouterr().out
    repeated = tool.main([CONFIG, '--number', '5', '--batch', '4', '--out', str(tmp_path)])
    assert np.array_equal(repeated, counts)
    assert not np.array_equal(tool.main([CONFIG, '--number', '5', '--seed', '1', '--out', str(tmp_path)]), counts)


def test_validation_split_in_order(tool, at_root, camvid_root, mmseg_scope, tmp_path):
    counts = tool.main([CONFIG, '--split', 'val', '--number', '2', '--out', str(tmp_path), '--single'])
    names = sorted(path.name for path in (camvid_root / 'val').iterdir())[:2]
    masks = [cv2.imread(str(camvid_root / 'valannot' / name), cv2.IMREAD_UNCHANGED) for name in names]
    expected = np.bincount(np.concatenate(masks).ravel(), minlength=12)[:12]
    assert counts.tolist() == [*expected.tolist(), 0]
    for index, name in enumerate(names):
        shown = cv2.imread(str(tmp_path / f'val_{index:05d}_image.png')).astype(int)
        source = cv2.resize(cv2.imread(str(camvid_root / 'val' / name)), shown.shape[1::-1]).astype(int)
        assert shown.shape == (240, 320, 3)
        assert np.abs(shown - source).max() <= 1


def test_pairs_stand_side_by_side(tool, mmseg_scope, tmp_path):
    scenes = {'type': 'mmssl.StreetScenesDataset', 'num_images': 4, 'size': (64, 96)}
    load, turn = {'type': 'mmssl.LoadStreetScene'}, {'type': 'RandomRotate', 'prob': 1.0, 'degree': (30.0, 30.0)}
    unlabeled = [load, {'type': 'mmssl.MarkValidRegion'}, turn, {'type': 'mmssl.PackUnlabeledInputs'}]
    preprocessor = {'type': 'SegDataPreProcessor', 'size': (64, 112), 'mean': [99.0] * 3, 'std': [9.0] * 3}
    dataset = {
        'type': 'mmssl.PairedDataset',
        'labeled': {**scenes, 'pipeline': [load, {'type': 'PackSegInputs'}]},
        'unlabeled': {**scenes, 'seed': 1, 'style': 'photo', 'pipeline': unlabeled},
    }
    loader = {'batch_size': 2, 'num_workers': 0, 'dataset': dataset}
    loader['sampler'] = {'type': 'mmssl.PairedInfiniteSampler', 'shuffle': False}
    head = {'type': 'FCNHead', 'ignore_index': 255}
    model = {'type': 'X', 'segmentor': {'data_preprocessor': preprocessor, 'decode_head': head}}
    Config({'model': model, 'train_dataloader': loader}).dump(tmp_path / 'pairs.py')
    counts = tool.main([str(tmp_path / 'pairs.py'), '--number', '3', '--single', '--out', str(tmp_path)])
    names = {path.name for path in tmp_path.glob('*.png')}
    singles = [f'train_{n:05d}_{kind}.png' for n in range(3) for kind in ('labelled_image', 'labelled_overlay')]
    singles += [f'train_{n:05d}_unlabelled_image.png' for n in range(3)]
    assert names == {*singles, 'train_sheet_00000.png', 'train_sheet_00002.png'}
    masks = [render_street_scene(0, index, (64, 96), 'game').semantic for index in range(3)]
    expected = np.bincount(np.concatenate(masks).ravel(), minlength=256)
    # 16 columns that the preprocessor adds are ignored
    assert counts.tolist() == [*expected[:11].tolist(), expected[255] + 3 * 64 * 16, 0]
    for index in range(3):
        shown = cv2.imread(str(tmp_path / f'train_{index:05d}_labelled_image.png'))[..., ::-1]
        # this preprocessor leaves the channels alone, so that OpenMMLab's BGR comes out
        assert np.array_equal(shown[:, :96][..., ::-1], render_street_scene(0, index, (64, 96), 'game').image)
        turned = cv2.imread(str(tmp_path / f'train_{index:05d}_unlabelled_image.png'))
        assert turned.shape == (64, 112, 3)
        # stripes: a quarter black, an eighth white, in the corner and in the padding
        outside = turned[:, 96:].reshape(-1, 3)
        assert (outside == 0).all(1).mean() == pytest.approx(2 / 8)
        assert (outside == 255).all(1).mean() == pytest.approx(1 / 8)
        assert turned[:4, :4].max() == 255


def test_bad_input(tool, at_root, mmseg_scope):
    with pytest.raises(ValueError, match="no key 'train_dataloader'"):
        tool.main(['mmseg::_base_/models/erfnet_fcn.py'])
    with pytest.raises(ValueError, match="no key 'data_preprocessor'"):
        tool.main(['mmseg::_base_/datasets/cityscapes.py'])
    with pytest.raises(SystemExit):
        tool.main([CONFIG, '--number', '0'])


def test_joint_training_shows_the_images_of_the_segmentation(tool, at_root, camvid_root, mmseg_scope, tmp_path, capsys):
    counts = tool.main([JOINT, '--number', '4', '--out', str(tmp_path / 'joint')])
    assert 'browse_pretext.py --task shows inpainting, denoising, colorization, jigsaw' in capsys.readouterr().out
    # The same images as those of the recipe that it inherits, drawn in the same way.
    assert np.array_equal(counts, tool.main([PLAIN, '--number', '4', '--out', str(tmp_path / 'plain')]))
    sheets = [cv2.imread(str(tmp_path / name / 'train_sheet_00000.png')) for name in ('joint', 'plain')]
    assert np.array_equal(*sheets)
