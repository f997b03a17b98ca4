"""What browse_pretext.py draws for each pretext task, on CamVid, with models whose answers are known."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmssl.apis.any_model import build_model
from mmssl.apis.config import load_config
from mmssl.datasets.transforms.pretext.permutations import load_permutations

CONFIGS = 'configs/pretext/'
ROTATION = CONFIGS + 'rotation_erfnet_1xb16-600i_camvid-192x192.py'
JIGSAW = CONFIGS + 'jigsaw_erfnet_1xb16-600i_camvid-64x64.py'
RELATIVE = CONFIGS + 'relative-patch_erfnet_1xb16-600i_camvid-64x64.py'
OTSU = CONFIGS + 'otsu_erfnet_1xb8-600i_camvid-192x256.py'
COLOUR = CONFIGS + 'colorization_erfnet_1xb8-600i_camvid-192x256.py'
SIMCLR = CONFIGS + 'simclr_erfnet_1xb32-600i_camvid-96x128.py'
PLACES = ('upper left', 'above', 'upper right', 'left', 'right', 'lower left', 'below', 'lower right')


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

    def save(config: str, layer: str | None = None, bias=None) -> Path:
        torch.manual_seed(0)
        model = build_model(load_config(config), config)
        if layer:
            last = model.get_submodule(layer)
            torch.nn.init.zeros_(last.weight)
            with torch.no_grad():
                last.bias.copy_(torch.as_tensor(bias))
        path = tmp_path / 'model.pth'
        torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
        return path

    return save


def always(label: int, classes: int) -> list[float]:
    """Scores that make one class as likely as nine tenths."""
    return [float(np.log(9 * (classes - 1))) if index == label else 0.0 for index in range(classes)]


def names_of(drawing) -> list[str]:
    return [row[0].caption.partition(': ')[2] for row in drawing.rows]


def photograph(camvid_root: Path, name: str) -> np.ndarray:
    return cv2.resize(cv2.imread(str(camvid_root / 'val' / name)), (320, 240))[..., ::-1].astype(int)


def test_rotation(tool, save, camvid_root, tmp_path, capsys):
    checkpoint = save(ROTATION, 'head.mlp.out', always(1, 4))
    drawing = tool.main([ROTATION, str(checkpoint), '--number', '6', '--out', str(tmp_path)])
    angles = []
    for (question, upright, predicted), name in zip(drawing.rows, names_of(drawing), strict=True):
        assert np.abs(upright.picture - photograph(camvid_root, name)[24:216, 64:256]).max() <= 1
        turns = int(upright.caption.removesuffix(' deg')) // 90
        angles.append(turns)
        assert np.array_equal(np.rot90(upright.picture, turns), question.picture)  # counter-clockwise
        assert np.array_equal(predicted.picture, np.rot90(question.picture, -1))
        assert predicted.caption == f'90 deg, p 0.90, {"correct" if turns == 1 else "wrong"}'
        assert predicted.right == (turns == 1)
    assert len(set(angles)) > 1
    assert drawing.scores == {'correct': angles.count(1), 'samples': 6}
    output = capsys.readouterr().out
    assert f'{angles.count(1)} of 6 correct, 1.5 by chance' in output
    sheet = cv2.imread(str(tmp_path / f'{Path(ROTATION).stem}_val.png'))
    assert sheet.shape[1] == 3 * (256 + 6) + 4 * 10
    assert sheet.shape[0] > 6 * (256 + 6)
    top = 10 + 2 * 18 + 10 + 18 + 1 + 10 + 18 + 3  # margin, heading, space, titles, rule, space, caption, frame
    shown = cv2.resize(drawing.rows[0][0].picture, (256, 256), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(sheet[top : top + 256, 13 : 13 + 256, ::-1], shown)


def test_jigsaw(tool, save, tmp_path):
    checkpoint = save(JIGSAW, 'head.mlp.out', always(7, 100))
    drawing = tool.main([JIGSAW, str(checkpoint), '--number', '2', '--out', str(tmp_path / 'puzzle.png')])
    permutations = load_permutations(100)
    assert (tmp_path / 'puzzle.png').is_file()
    for question, solved, predicted in drawing.rows:
        label = int(solved.caption.removeprefix('permutation '))
        # Cells are 64 pixels with gaps of 4.
        places = [
            (slice(68 * row + 2, 68 * row + 62), slice(68 * column + 2, 68 * column + 62))
            for row in range(3)
            for column in range(3)
        ]
        for patch, cell in enumerate(places):
            assert np.array_equal(question.picture[cell], solved.picture[places[permutations[label][patch]]])
            assert np.array_equal(question.picture[cell], predicted.picture[places[permutations[7][patch]]])
        # In these streets the sky is above and the road below.
        solved_rows = [solved.picture[68 * row : 68 * row + 64].mean() for row in range(3)]
        assert solved_rows[0] > solved_rows[2]
        wrong = int((permutations[label] != permutations[7]).sum())
        framed = (predicted.picture[::68, ::68] == (210, 30, 30)).all(axis=-1).sum()
        assert framed == wrong
        assert predicted.caption.startswith('permutation 7, p 0.90')
        assert predicted.right == (label == 7)


def test_relative_patch(tool, save, tmp_path):
    checkpoint = save(RELATIVE, 'head.mlp.out', always(4, 8))
    drawing = tool.main([RELATIVE, str(checkpoint), '--number', '4', '--out', str(tmp_path)])
    for question, truth, predicted in drawing.rows:
        cell = [0, 1, 2, 3, 5, 6, 7, 8][PLACES.index(truth.caption)]
        row, column = divmod(cell, 3)
        neighbour = question.picture[70:130, 104 + 2 : 104 + 62]  # the second of 2 x 64 pixels, 8 between them, in 200
        place = truth.picture[68 * row + 2 : 68 * row + 62, 68 * column + 2 : 68 * column + 62]
        assert np.array_equal(place, neighbour)
        assert np.array_equal(predicted.picture[70:130, 138:198], neighbour)
        centre = question.picture[68:132, 32 : 32 + 64]
        assert all(np.array_equal(panel.picture[68:132, 68:132], centre) for panel in (truth, predicted))
        assert predicted.caption == f'right, p 0.90, {"correct" if cell == 5 else "wrong"}'
    assert drawing.summary.endswith('of 4 correct, 0.5 by chance')


def test_otsu_clusters(tool, save, camvid_root, tmp_path):
    checkpoint = save(OTSU, 'decode_head.conv_seg', [0, 0, 5, 0])
    drawing = tool.main([OTSU, str(checkpoint), '--number', '2', '--out', str(tmp_path)])
    shares = []
    for (image, truth, predicted), name in zip(drawing.rows, names_of(drawing), strict=True):
        assert np.abs(image.picture - photograph(camvid_root, name)).max() <= 1
        assert (predicted.picture == 157).all()
        levels = truth.picture[..., 0]
        assert np.unique(levels).tolist() == [20, 88, 157, 225]
        shares.append(float((levels == 157).mean()))
        assert predicted.caption == f'{100 * shares[-1]:.1f} % of the pixels correct'
        grey = cv2.cvtColor(image.picture, cv2.COLOR_RGB2GRAY)
        assert [grey[levels == low].max() < grey[levels == high].min() for low, high in ((20, 88), (88, 157))]
        assert grey[levels == 157].max() < grey[levels == 225].min()
    assert drawing.scores['pixels_correct'] == pytest.approx(np.mean(shares))
    assert [name for name, _ in drawing.entries] == ['darkest', 'dark', 'bright', 'brightest']


def test_colorization(tool, save, camvid_root, tmp_path):
    checkpoint = save(COLOUR, 'decode_head.conv_seg', [10, -25])
    drawing = tool.main([COLOUR, str(checkpoint), '--number', '2', '--out', str(tmp_path)])
    errors, greys = [], []
    for (lightness, truth, predicted), name in zip(drawing.rows, names_of(drawing), strict=True):
        image = photograph(camvid_root, name)
        assert np.abs(truth.picture - image).mean() < 1.5  # a and b are whole numbers
        lab = cv2.cvtColor((image / 255).astype(np.float32), cv2.COLOR_RGB2LAB)
        assert np.abs(lightness.picture - 2.55 * lab[..., :1]).max() < 2
        errors.append(((lab[..., 1:] - (10, -25)) ** 2).mean())
        greys.append((lab[..., 1:] ** 2).mean())
        assert float(predicted.caption.split()[1]) == pytest.approx(errors[-1] ** 0.5, abs=0.15)
        assert float(truth.caption.split()[2]) == pytest.approx(greys[-1] ** 0.5, abs=0.15)
        # Where the lightness leaves room, the colour is the predicted one.
        shown = cv2.cvtColor((predicted.picture / 255).astype(np.float32), cv2.COLOR_RGB2LAB)
        middle = (lab[..., 0] > 30) & (lab[..., 0] < 80)
        assert shown[middle][:, 1:].mean(axis=0) == pytest.approx([10, -25], abs=0.3)
    assert drawing.scores['RMSE_ab'] == pytest.approx(np.mean(errors) ** 0.5, abs=0.1)
    assert drawing.scores['RMSE_ab_grey'] == pytest.approx(np.mean(greys) ** 0.5, abs=0.1)


def test_simclr(tool, save, tmp_path):
    checkpoint = save(SIMCLR)
    drawing = tool.main([SIMCLR, str(checkpoint), '--number', '3', '--out', str(tmp_path)])
    assert (tmp_path / f'{Path(SIMCLR).stem}_train.png').is_file()
    cfg = load_config(SIMCLR)
    model = build_model(cfg, SIMCLR).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)['state_dict'])
    # The network on the pictures themselves, all views in one batch.
    views = [torch.tensor(row[view].picture).permute(2, 0, 1).float() for view in range(2) for row in drawing.rows]
    mean, std = (torch.tensor(cfg.model.data_preprocessor[key])[:, None, None] for key in ('mean', 'std'))
    with torch.no_grad():
        projected = F.normalize(model.neck(model.backbone((torch.stack(views) - mean) / std))[-1])
    cosine = projected @ projected.T
    correct = 0
    for index, row in enumerate(drawing.rows):
        assert float(row[1].caption.rpartition(' ')[2]) == pytest.approx(cosine[index, index + 3].item(), abs=1e-3)
        for view in range(2):
            me = index + 3 * view
            nearest = max((other for other in range(6) if other != me), key=lambda other: cosine[me, other])  # noqa: B023
            panel = row[2 + view]
            assert panel.caption.startswith(f'{nearest % 3 + 1}, view {nearest // 3 + 1}: {cosine[me, nearest]:.3f}')
            assert np.array_equal(panel.picture, drawing.rows[nearest % 3][nearest // 3].picture)
            assert panel.right == (nearest % 3 == index)
            correct += panel.right
    assert drawing.scores['correct'] == correct
    with pytest.raises(ValueError, match='at least 2 expected'):
        tool.main([SIMCLR, str(checkpoint), '--number', '1', '--out', str(tmp_path)])


@pytest.mark.parametrize('config', [ROTATION, JIGSAW, RELATIVE, OTSU, COLOUR, SIMCLR], ids=lambda path: Path(path).stem)
def test_without_a_checkpoint(tool, config, tmp_path, capsys):
    path = tmp_path / 'new' / 'sheet.png'
    command = [config, '--split', 'train', '--number', '2', '--height', '64', '--out', str(path)]
    drawing = tool.main(command)
    assert [len(row) for row in drawing.rows] == [2, 2]
    assert drawing.columns == [panel for panel in drawing.columns if 'predict' not in panel and 'nearest' not in panel]
    assert 'no checkpoint: input and target only' in capsys.readouterr().out
    assert cv2.imread(str(path)) is not None
    # The seed decides about images and draws; fewer images are the first of more.
    again = tool.main([*command, '--number', '1'])
    assert np.array_equal(again.rows[0][0].picture, drawing.rows[0][0].picture)
    other = tool.main([*command, '--seed', '1'])
    assert not np.array_equal(other.rows[0][0].picture, drawing.rows[0][0].picture)


def test_more_images_than_there_are(tool, camvid_root, tmp_path, capsys):
    names = sorted(path.name for path in (camvid_root / 'val').iterdir())[:3]
    (tmp_path / 'list.txt').write_text('\n'.join(names))
    options = ['--cfg-options', f'val_dataloader.dataset.ann_file={tmp_path / "list.txt"}']
    drawing = tool.main([ROTATION, '--number', '5', '--height', '64', '--out', str(tmp_path), *options])
    assert sorted(names_of(drawing)) == names
    assert 'all 3 images were drawn, --number 5 asked for more' in capsys.readouterr().out


def test_bad_input(tool, save, tmp_path, capsys):
    out = ['--out', str(tmp_path)]
    with pytest.raises(ValueError, match='no pretext task: LoadImage, .*one of RotationTarget, .* expected'):
        tool.main(['configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py', *out])
    with pytest.raises(ValueError, match=r'no val_dataloader.dataset, nothing to draw'):
        tool.main([SIMCLR, '--split', 'val', *out])
    with pytest.raises(FileNotFoundError, match='checkpoint nowhere.pth: no such file'):
        tool.main([ROTATION, 'nowhere.pth', *out])
    checkpoint = save(ROTATION)
    with pytest.raises(ValueError, match='does not fit the model, 2 tensors differ; first: head.mlp.out.weight'):
        tool.main([ROTATION, str(checkpoint), *out, '--cfg-options', 'model.head.num_classes=5'])
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    del state['head.mlp.out.bias']
    torch.save(state, checkpoint)
    with pytest.raises(ValueError, match='1 tensors differ; first: head.mlp.out.bias is missing'):
        tool.main([ROTATION, str(checkpoint), *out])
    five = ['--cfg-options', 'model.head.num_classes=5', '--number', '1']
    state |= {'head.mlp.out.bias': torch.zeros(5), 'head.mlp.out.weight': torch.zeros(5, 128)}
    torch.save(state, checkpoint)
    with pytest.raises(ValueError, match='the model predicts 5 classes, 4 expected for rotation'):
        tool.main([ROTATION, str(checkpoint), *out, *five])
    for wrong in (['--number', '0'], ['--height', '8'], ['--seed', '-1'], ['--out', 'sheet.jpg']):
        with pytest.raises(SystemExit):
            tool.main([ROTATION, *wrong])
        assert f'{wrong[0]}: {wrong[1]} found' in capsys.readouterr().err
    assert not list(tmp_path.glob('*.png'))
