"""What browse_pretext.py draws of PixPro, on CamVid."""

import importlib.util
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmssl.apis.any_model import build_model
from mmssl.apis.config import load_config
from mmssl.apis.pretext_browsing import build_pretext_dataset, draw_samples
from mmssl.visualization.pixel_pairs import BOX_COLOURS

ROTATION = 'configs/pretext/rotation_erfnet_1xb16-600i_camvid-192x192.py'
RECIPE = """
_base_ = ['{root}/_base_/models/pixpro_erfnet.py', '{root}/_base_/datasets/images_camvid.py',
          '{root}/_base_/pretext_runtime.py']
model = dict(
    backbone=dict(norm_cfg=dict(type='BN')),
    neck=dict(hidden_channels=16, out_channels=8, norm_cfg=dict(type='BN')),
    propagation=dict(in_channels=8),
    loss_consistency=dict(threshold={threshold}))
train_dataloader = dict(dataset=dict(pipeline=[
    dict(type='mmssl.LoadImage'), {resize} dict(type='mmssl.PixelViews', scale=64, crop_ratio_range=(0.3, 0.6)),
    {affine} dict(type='mmssl.PackPixelViews')]))
val_dataloader = None
"""
AFFINE = "dict(type='mmssl.AffineView', rotation=40, translation=(-8, 8)),"


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('pretext', repository / 'tools/visualizations/browse_pretext.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def at_root(repository, camvid_root, monkeypatch, mmseg_scope):
    monkeypatch.chdir(repository)


@pytest.fixture
def recipe(repository, tmp_path):
    def recipe(affine: str = '', resize: str = '', threshold: float = 0.7) -> str:
        path = tmp_path / 'pixpro.py'
        root = repository / 'configs'
        path.write_text(RECIPE.format(root=root, affine=affine, resize=resize, threshold=threshold))
        return str(path)

    return recipe


@pytest.fixture
def checkpoint(tmp_path):
    def checkpoint(config: str) -> tuple[torch.nn.Module, str]:
        torch.manual_seed(0)
        model = build_model(load_config(config), config)
        model.teacher.synchronize(model.student)
        for parameter in model.teacher.model.neck.parameters():  # so that the target is not the online encoder
            parameter.add_(0.1 * torch.randn_like(parameter))
        path = tmp_path / 'model.pth'
        torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
        return model.eval(), str(path)

    return checkpoint


def samples_of(config: str, number: int) -> list:
    return draw_samples(build_pretext_dataset(load_config(config), 'train'), number, 0)


def slow_pairs(boxes, side: int, threshold: float, matrix=None) -> np.ndarray:
    """Equation 2.12, a pair at a time; cells of view 1 that the warped view does not show have none."""
    pairs = np.zeros((side**2, side**2), bool)
    cells = list(itertools.product(range(side), repeat=2))

    def place(box, cell):
        shares = [(cell[1] + 0.5) / side, (cell[0] + 0.5) / side]
        return np.array([box[k] + shares[k] * (box[k + 2] - box[k]) for k in range(2)])

    diagonal = max(np.hypot(box[2] - box[0], box[3] - box[1]) / side for box in boxes)
    for (i, one), (j, other) in itertools.product(enumerate(cells), repeat=2):
        pairs[i, j] = np.linalg.norm(place(boxes[0], one) - place(boxes[1], other)) < threshold * diagonal
    if matrix is not None:
        for i, (row, column) in enumerate(cells):
            q = np.array([(2 * column + 1) / side - 1, (2 * row + 1) / side - 1])
            pairs[i] &= np.abs(np.linalg.solve(matrix[:, :2], q - matrix[:, 2])).max() <= 1 + 1e-4
    return pairs


def caption_of(count: int) -> str:
    return f'{count} positive pairs' + (', 24 drawn' if count > 24 else '')


@pytest.mark.parametrize('affine', ['', AFFINE], ids=['plain', 'warped'])
@pytest.mark.parametrize(('options', 'side'), [((), 7), (('--map-size', '4'), 4)])
def test_without_a_checkpoint(tool, recipe, tmp_path, capsys, affine, options, side):
    config = recipe(affine, threshold=0.5)
    drawing = tool.main([config, '--number', '3', '--out', str(tmp_path), *options])
    assert cv2.imread(str(tmp_path / 'pixpro_train.png')).shape[0] > 3 * 256
    assert 'PixPro: no checkpoint' in capsys.readouterr().out
    assert len(drawing.columns) == 2
    for row, sample in zip(drawing.rows, samples_of(config, 3), strict=True):
        boxes, matrix = sample['data_samples'].boxes.numpy(), sample['data_samples'].affine[0].numpy()
        assert row[1].caption == caption_of(slow_pairs(boxes, side, 0.5, matrix if affine else None).sum())
        image = row[0].picture
        photograph = cv2.imread(sample['data_samples'].img_path)[..., ::-1]
        scale = 256 / photograph.shape[0]
        expected = cv2.resize(photograph, image.shape[1::-1], interpolation=cv2.INTER_AREA).astype(int)
        if not affine:
            left, right = sorted(np.rint(boxes[:, [0, 2]] * scale - 0.5).astype(int).ravel())[::3]
            assert np.abs(image[:, : max(left - 8, 0)] - expected[:, : max(left - 8, 0)]).sum() == 0
            assert np.abs(image[:, right + 9 :] - expected[:, right + 9 :]).sum() == 0
        x = min(boxes[1, [0, 2]]) * scale - 0.5  # view 2 is drawn last
        y = boxes[1, [1, 3]].mean() * scale - 0.5
        edge = image[round(y), max(round(x), 0) : max(round(x), 0) + 2].tolist()
        assert list(BOX_COLOURS[1]) in edge
        flips = [str(view + 1) for view in range(2) if boxes[view, 0] > boxes[view, 2]]
        assert row[0].caption.endswith(f'.png, flipped: {" and ".join(flips)}' if flips else '.png')


def test_the_image_is_the_one_that_was_cut(tool, recipe, tmp_path):
    config = recipe(resize="dict(type='Resize', scale=(120, 60)),")
    drawing = tool.main([config, '--number', '1', '--out', str(tmp_path)])
    assert drawing.rows[0][0].picture.shape == (256, 512, 3)


@pytest.mark.parametrize('affine', ['', AFFINE], ids=['plain', 'warped'])
def test_with_a_checkpoint(tool, recipe, checkpoint, tmp_path, affine):
    config = recipe(affine)
    model, path = checkpoint(config)
    drawing = tool.main([config, path, '--number', '2', '--pixel', '3', '4', '--out', str(tmp_path)])
    mean, std = (
        torch.tensor(load_config(config).model.data_preprocessor[key])[:, None, None] for key in ('mean', 'std')
    )
    cosines = []
    for row, sample in zip(drawing.rows, samples_of(config, 2), strict=True):
        data = sample['data_samples']
        first, second = ((view.flip(0).float() - mean) / std for view in sample['inputs'])
        with torch.no_grad():
            online = model.propagation(model.student(first[None]))
            target = model.teacher.model(second[None])
            if affine:  # the place q of the frame before the warp is at A^-1 q
                inverse = torch.linalg.inv(torch.cat([data.affine[0], torch.tensor([[0.0, 0, 1]])]))[None, :2]
                grid = F.affine_grid(inverse, online.shape, align_corners=False)
                online = F.grid_sample(online, grid, padding_mode='border', align_corners=False)
        matrix = data.affine[0].numpy() if affine else None
        pairs = slow_pairs(data.boxes.numpy(), 8, 0.7, matrix)
        assert row[1].caption == caption_of(pairs.sum())
        online, target = (F.normalize(one[0].flatten(1), dim=0) for one in (online, target))
        similarity = (online.T @ target).numpy()
        cosines += similarity[pairs].tolist()
        chosen = similarity[3 * 8 + 4]
        words = f'cell (3, 4): cosine {chosen.min():.2f} to {chosen.max():.2f}'
        partners = pairs[3 * 8 + 4]
        assert row[2].caption == words + (f', pairs {chosen[partners].mean():.2f}' if partners.any() else '')
    assert drawing.scores['cosine'] == pytest.approx(np.mean(cosines), abs=1e-5)
    assert drawing.scores['no_overlap'] == 0
    assert drawing.summary.startswith(f'mean cosine of {len(cosines)} positive pairs {np.mean(cosines):.3f}')


def test_bad_input(tool, recipe, checkpoint, tmp_path, capsys):
    config = recipe()
    _, path = checkpoint(config)
    out = ['--number', '1', '--out', str(tmp_path)]
    with pytest.raises(ValueError, match=r'pixel=\(8, 0\) found, \(row, column\) in a map of 8x8 cells expected'):
        tool.main([config, path, *out, '--pixel', '8', '0'])
    with pytest.raises(ValueError, match='map_size=7 found, the model makes maps of 8x8 cells'):
        tool.main([config, path, *out, '--map-size', '7'])
    with pytest.raises(ValueError, match='pixel found, a checkpoint expected with it'):
        tool.main([config, *out, '--pixel', '0', '0'])
    with pytest.raises(ValueError, match='rotation: option map_size found, expected of its own: none'):
        tool.main([ROTATION, *out, '--map-size', '7'])
    with pytest.raises(SystemExit):
        tool.main([config, *out, '--map-size', '0'])
    assert '--map-size: 0 found, a whole number from 1 expected' in capsys.readouterr().err
    assert not list(Path(tmp_path).glob('*.png'))
