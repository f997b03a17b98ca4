"""tools/analysis_tools/compare_cutouts.py: its numbers are those of the metric, its sheet has a column a model."""

import copy
import importlib.util
import json

import cv2
import numpy as np
import pytest
from cutout_cases import CLASSES, OBJECTS, picture, true_mask, write_checkpoint, write_coco, write_recipe

from mmssl.apis.background_removal import read_image
from mmssl.apis.coco_truth import choose_images, read_true_images
from mmssl.apis.config import load_config
from mmssl.apis.mask_prediction import MaskPredictor
from mmssl.evaluation.cutouts import compare_cutouts, union_mask
from mmssl.visualization.contact_sheet import LINE
from mmssl.visualization.cutout_sheet import cutout_sheet, fit_panel


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('compare', repository / 'tools/analysis_tools/compare_cutouts.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def data(repository, tmp_path_factory):
    """Folder with annotations, a recipe and two checkpoints."""
    folder = tmp_path_factory.mktemp('data')
    write_coco(folder)
    config = write_recipe(repository, folder)
    for seed in (0, 1):
        write_checkpoint(config, folder / f'{seed}.pth', seed)
    return folder


@pytest.fixture
def images(data):
    config = str(data / 'tiny.py')
    return read_true_images(load_config(config), config)


def values(data, seed: int, names, **build) -> list[tuple[float, float]]:
    predictor = MaskPredictor(str(data / 'tiny.py'), str(data / f'{seed}.pth'), **build)
    found = []
    for name in names:
        image = read_image(data / 'images' / name)
        (instances,) = predictor.predict([predictor.prepare(image)])
        found.append(compare_cutouts(image, union_mask(instances.masks, instances.labels).numpy(), true_mask(name)))
    return found


def test_truth(images):
    found, classes = images
    assert classes == CLASSES
    assert [image.path.rsplit('/', 1)[1] for image in found] == ['a.png', 'b.png', 'c.png', 'd.png']
    for image in found:
        name = image.path.rsplit('/', 1)[1]
        masks, labels = image.instances()
        real = [kind for kind, *_, crowd in OBJECTS[name] if not crowd]
        assert [CLASSES[label] for label in labels] == real
        np.testing.assert_array_equal(union_mask(masks, labels).numpy(), true_mask(name))


def test_choice_of_images(images):
    found, _ = images
    assert choose_images(found, None, 3) == choose_images(found, 9, None) == found
    assert choose_images(found, 2, None) == found[:2]
    drawn = [tuple(map(found.index, choose_images(found, 2, seed))) for seed in range(20)]
    assert all(a < b for a, b in drawn) and len(set(drawn)) > 3
    assert [tuple(map(found.index, choose_images(found, 2, seed))) for seed in range(20)] == drawn
    with pytest.raises(ValueError, match='^images: 0 found, expected at least 1$'):
        choose_images(found, 0, None)


def test_two_models(tool, data, tmp_path, capsys):
    models = [
        argument for seed in (0, 1) for argument in ('--model', f'net{seed}', data / 'tiny.py', data / f'{seed}.pth')
    ]
    options = ['--score-thr', 0.3, '--rows', 2, '--out', tmp_path / 'o/sheet.png', '--json', tmp_path / 'numbers.json']
    tool.main([str(argument) for argument in (*models, *options)])
    numbers = json.loads((tmp_path / 'numbers.json').read_text())
    assert numbers['images'] == 3 and numbers['left_out'] == [f'{data}/images/c.png']
    printed = capsys.readouterr().out
    assert '3 images, 1 without an instance left out' in printed
    for seed in (0, 1):
        expected = values(data, seed, ('a.png', 'b.png', 'd.png'), score_thr=0.3)
        found = numbers['models'][f'net{seed}']
        per_image = [(each['cosine'], each['iou']) for each in found['per_image'].values()]
        np.testing.assert_allclose(per_image, expected, atol=0.1)
        np.testing.assert_allclose((found['cosine'], found['iou']), np.mean(expected, axis=0), atol=0.1)
        assert f'{found["cosine"]:.2f}' in printed and f'{found["iou"]:.2f}' in printed
    sheet = cv2.imread(str(tmp_path / 'o/sheet.png'))
    panel = 180 + 2 * LINE
    assert sheet.shape == (2 * (panel + 6), 4 * (240 + 2) + 6, 3)
    np.testing.assert_array_equal(sheet[2 * LINE : panel, :240], fit_panel(picture(0), (180, 240)))
    truth = fit_panel(picture(1) * true_mask('b.png')[..., None], (180, 240))
    np.testing.assert_array_equal(sheet[panel + 6 + 2 * LINE :][:180, 3 * 242 :][:, :240], truth)


def test_annotations_of_ones_own(tool, data, tmp_path):
    own = ['--ann-file', data / 'ann.json', '--image-dir', data / 'images', '--instances', 'largest', '--images', 1]
    arguments = ['--model', 'net', data / 'tiny.py', data / '0.pth', *own, '--out', tmp_path / 'sheet.jpg']
    (model,) = tool.main([str(argument) for argument in arguments])
    assert len(model.cosine) == 1
    assert cv2.imread(str(tmp_path / 'sheet.jpg')).shape[1] == 3 * 242 + 6


def test_faults(tool, data, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv('MMSSL_TRACEBACK', raising=False)
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.json').write_text('no json')
    (tmp_path / 'other.json').write_text('{"a": 1}')
    (tmp_path / 'large').mkdir()
    for name in OBJECTS:
        cv2.imwrite(str(tmp_path / 'large' / name), picture(0, (96, 128)))
    loaded = load_config(str(data / 'tiny.py'))  # reading it anew for every fault takes the longest
    monkeypatch.setattr(tool, 'load_config', lambda *_: copy.deepcopy(loaded))
    good = ['--model', 'net', data / 'tiny.py', data / '0.pth', '--out', tmp_path / 'sheet.png']
    own = [data / 'ann.json', '--image-dir', data / 'images']
    for arguments, message in (
        (['--ann-file', data / 'ann.json', '--image-dir', tmp_path / 'empty'], '4 of the 4 images are not there'),
        (['--ann-file', tmp_path / 'none.json', *own[1:]], 'none.json: the annotation file does not exist'),
        (['--ann-file', tmp_path / 'text.json', *own[1:]], 'text.json: not annotations of COCO'),
        (['--ann-file', tmp_path / 'other.json', *own[1:]], 'other.json: not annotations of COCO'),
        (['--ann-file', data / 'ann.json'], 'annotation file and image folder: one of them found'),
        (
            ['--ann-file', data / 'ann.json', '--image-dir', tmp_path / 'large'],
            'a.png: annotated masks of (48, 64), expected the size (96, 128) of the image',
        ),
        (['--instances', 'cat'], "unknown class 'cat', expected some of person, bicycle, car"),
        (['--images', 1, '--instances', 'bicycle'], "none of 1 images has an instance of ['bicycle']"),
        (['--images', 0], 'images: 0 found'),
        (['--score-thr', 2], 'score_thr is 2.0, expected 0 to 1'),
        (['--cfg-options', 'model.backbone.depth=34'], '0.pth: does not fit the model'),
    ):
        with pytest.raises((ValueError, OSError)) as raised:
            tool.main([str(argument) for argument in (*good, *arguments)])
        assert message in str(raised.value) and '\n' not in str(raised.value)
    for arguments, message in (
        ([*good[:4], *good], '--model: names net, net found, each once expected'),
        ([*good[:-1], 'sheet.gif'], 'a file that ends with .png or .jpg expected'),
        ([*good, '--rows', 0], '--rows: 0 found, at least 1 expected'),
    ):
        with pytest.raises(SystemExit):
            tool.main([str(argument) for argument in arguments])
        assert message in capsys.readouterr().err
    assert not (tmp_path / 'sheet.png').exists()


def test_sheet():
    wide, tall = np.full((90, 240, 3), 40, np.uint8), np.full((360, 40, 3), 80, np.uint8)
    np.testing.assert_array_equal(fit_panel(wide, (180, 240))[45:135], wide)
    fitted = fit_panel(tall, (180, 240))
    assert (fitted[:, 110:130] == 80).all() and (fitted[:, :110] == 255).all() and (fitted[:, 130:] == 255).all()
    with pytest.raises(ValueError, match='expected as many$'):
        cutout_sheet([[wide]], [['a', 'b']], ['c'])
    with pytest.raises(ValueError, match='expected as many$'):
        cutout_sheet([], [], [])
