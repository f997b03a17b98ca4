"""What browse_pretext.py draws for inpainting, denoising and bins of colours, on CamVid, with known answers."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmssl.apis.any_model import build_model
from mmssl.apis.config import load_config

CONFIGS = 'configs/pretext/'
INPAINTING = CONFIGS + 'inpainting_erfnet_1xb8-600i_camvid-192x256.py'
DENOISING = CONFIGS + 'denoising_erfnet_1xb8-600i_camvid-192x256.py'
COLOUR = CONFIGS + 'colorization-ce_erfnet_1xb8-600i_camvid-192x256.py'


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
def save(tmp_path):
    """Build the model of a config, set the last layer to a bias alone, and save the weights."""

    def save(config: str, bias) -> Path:
        torch.manual_seed(0)
        model = build_model(load_config(config), config)
        torch.nn.init.zeros_(model.decode_head.conv_seg.weight)
        with torch.no_grad():
            model.decode_head.conv_seg.bias.copy_(torch.as_tensor(bias))
        path = tmp_path / 'model.pth'
        torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
        return path

    return save


def photograph(camvid_root: Path, panel) -> np.ndarray:
    name = panel.caption.partition(': ')[2]
    return cv2.resize(cv2.imread(str(camvid_root / 'val' / name)), (320, 240))[..., ::-1].astype(int)


def decibels(error: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.square(error).mean())


def said(panel) -> float:
    return float(panel.caption.split()[1])


def test_inpainting(tool, save, camvid_root, tmp_path):
    """Outputs 0.5, 0, -0.5 are the mean colour, half a deviation redder and less blue."""
    colour = np.array([123.675 + 29.1975, 116.28, 103.53 - 28.6875])
    checkpoint = save(INPAINTING, [0.5, 0.0, -0.5])
    drawing = tool.main([INPAINTING, str(checkpoint), '--number', '2', '--out', str(tmp_path)])
    assert drawing.columns == ['input: a square erased', 'original', 'prediction', 'square filled in']
    predicted_errors, input_errors = [], []
    for given, original, predicted, closed in drawing.rows:
        image = photograph(camvid_root, given)
        assert np.abs(original.picture - image).max() <= 1
        hole = (given.picture == (124, 116, 104)).all(axis=-1)
        assert hole.sum() == pytest.approx(90**2, abs=3)  # 0.375 of 240
        assert np.array_equal(given.picture[~hole], original.picture[~hole])
        assert (predicted.picture == colour.round()).all()
        rows, columns = np.nonzero(hole)
        inside = np.zeros_like(hole)
        inside[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
        assert np.array_equal(closed.picture, np.where(inside[..., None], predicted.picture, original.picture))
        truth = original.picture[inside].astype(float)
        predicted_errors.append(truth - colour)
        input_errors.append(truth - (124, 116, 104))
        assert said(predicted) == pytest.approx(decibels(predicted_errors[-1]), abs=0.06)
        assert said(original) == pytest.approx(decibels(input_errors[-1]), abs=0.06)
    assert drawing.scores['PSNR'] == pytest.approx(decibels(np.concatenate(predicted_errors)), abs=1e-3)
    assert drawing.scores['PSNR_input'] == pytest.approx(decibels(np.concatenate(input_errors)), abs=1e-3)
    assert drawing.summary.startswith(f'{drawing.scores["PSNR"]:.2f} dB in the squares, the input')


def test_denoising(tool, save, camvid_root, tmp_path):
    checkpoint = save(DENOISING, [0.0, 0.0, 0.0])
    drawing = tool.main([DENOISING, str(checkpoint), '--number', '2', '--out', str(tmp_path)])
    assert drawing.columns == ['input: with noise', 'original', 'prediction']
    errors = []
    for given, original, predicted in drawing.rows:
        assert np.abs(original.picture - photograph(camvid_root, given)).max() <= 1
        noise = given.picture.astype(float) - original.picture
        assert 15 < noise.std() < 25.01
        assert said(original) == pytest.approx(decibels(noise), abs=0.06)
        assert (predicted.picture == (124, 116, 104)).all()
        errors.append(original.picture - np.array([123.675, 116.28, 103.53]))
        assert said(predicted) == pytest.approx(decibels(errors[-1]), abs=0.06)
    assert drawing.scores['PSNR'] == pytest.approx(decibels(np.concatenate(errors)), abs=1e-3)


def test_bins_of_colours(tool, save, tmp_path):
    model = build_model(load_config(COLOUR), COLOUR)
    chosen = (model.decode_head.centres == torch.tensor([10.0, -30.0])).all(dim=1)
    drawing = tool.main([COLOUR, str(save(COLOUR, 100.0 * chosen)), '--number', '2', '--out', str(tmp_path)])
    assert drawing.columns == ['input: lightness', 'true colours', 'true colours in 261 bins', 'predicted colours']
    for lightness, truth, binned, predicted in drawing.rows:
        lab = [
            cv2.cvtColor((p.picture / 255).astype(np.float32), cv2.COLOR_RGB2LAB) for p in (truth, binned, predicted)
        ]
        middle = (lightness.picture[..., 0] > 77) & (lightness.picture[..., 0] < 204)
        assert np.abs(lab[1][middle][:, 1:] / 10 - (lab[1][middle][:, 1:] / 10).round()).mean() < 0.06
        off = lab[1][middle][:, 1:] - lab[0][middle][:, 1:]
        assert np.abs(off).max() < 7
        assert 0.5 < np.square(off).mean() ** 0.5 < 5
        assert lab[2][middle][:, 1:].mean(axis=0) == pytest.approx([10, -30], abs=0.3)
        assert binned.caption.endswith('Lab units RMS')
        assert 0.5 < float(binned.caption.split()[4]) < 5
    assert drawing.scores['RMSE_ab'] > drawing.scores['RMSE_ab_grey']


@pytest.mark.parametrize(('config', 'panels'), [(INPAINTING, 2), (DENOISING, 2), (COLOUR, 3)])
def test_without_a_checkpoint(tool, config, panels, tmp_path):
    path = tmp_path / 'sheet.png'
    command = [config, '--split', 'train', '--number', '2', '--height', '64', '--out', str(path)]
    drawing = tool.main(command)
    assert [len(row) for row in drawing.rows] == [panels] * 2
    assert len(drawing.columns) == panels
    assert cv2.imread(str(path)) is not None
    again = tool.main([*command, '--number', '1'])
    assert np.array_equal(again.rows[0][0].picture, drawing.rows[0][0].picture)


def test_bad_answers_and_samples(tool, save, tmp_path):
    out = ['--out', str(tmp_path), '--number', '1']
    with pytest.raises(ValueError, match='no gt_erased packed, mmssl.PackPretextInputs expected in the pipeline'):
        tool.main([INPAINTING, *out, '--cfg-options', "val_dataloader.dataset.pipeline.3.pixel_keys=('gt_image',)"])
    step = 'val_dataloader.dataset.pipeline'
    options = [f'{step}.2.type=mmssl.DenoisingTarget', f"{step}.3.pixel_keys=('gt_image',)"]
    with pytest.raises(ValueError, match=r'a map of the shape \(2, 240, 320\), a picture of the shape \(3, 240, 320\)'):
        tool.main([COLOUR, str(save(COLOUR, [0.0] * 261)), *out, '--cfg-options', *options])


JOINT = 'configs/multi_task/joint-all_erfnet_1xb4-1000i_camvid-1of8-96x128.py'


def test_a_task_of_joint_training_is_drawn_with_its_own_weights(tool, tmp_path, capsys):
    torch.manual_seed(0)
    state = build_model(load_config(JOINT), JOINT).state_dict()
    state['tasks.inpainting.decode_head.conv_seg.weight'].zero_()
    state['tasks.inpainting.decode_head.conv_seg.bias'].zero_()  # the mean colour everywhere
    torch.save({'state_dict': state, 'meta': {}}, tmp_path / 'joint.pth')
    command = [JOINT, str(tmp_path / 'joint.pth'), '--number', '2', '--out', str(tmp_path / 'picture.png')]
    drawing = tool.main([*command, '--task', 'inpainting'])
    predicted = drawing.rows[0][2].picture.reshape(-1, 3)
    assert np.abs(predicted - np.array([123.675, 116.28, 103.53])).max() <= 1
    assert (tmp_path / 'picture.png').exists()
    assert 'inpainting, train' in capsys.readouterr().out or drawing.summary


@pytest.mark.parametrize(
    ('command', 'expected'),
    [
        ([JOINT], r"--task None found, one of \['inpainting', 'denoising', 'colorization', 'jigsaw'\] expected"),
        ([JOINT, '--task', 'puzzle'], '--task puzzle found, one of'),
        ([INPAINTING, '--task', 'inpainting'], '--task inpainting found, none for this config expected'),
    ],
)
def test_a_task_that_is_not_there_is_told(tool, tmp_path, command, expected):
    with pytest.raises(ValueError, match=expected):
        tool.main([*command, '--out', str(tmp_path)])
    assert not list(tmp_path.iterdir())
