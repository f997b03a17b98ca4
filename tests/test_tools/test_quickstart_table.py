"""tools/quickstart.py: tables, numbers and picture; and the predictions that the picture shows."""

import importlib.util
import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from mmssl.apis.config import load_config
from mmssl.apis.prediction_comparison import compare_predictions
from mmssl.apis.segmentor_workload import build_segmentor
from mmssl.datasets.camvid import CamVidDataset
from mmssl.datasets.rendering import render_street_scene
from mmssl.datasets.street_scenes import scene_index
from mmssl.errors import DataError, DataNotFoundError

PALETTE = np.array(CamVidDataset.METAINFO['palette'])
RECIPE = """
_base_ = ['{root}/configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'{more}]
data = dict(num_images=3, size=(64, 96))
train_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
randomness = dict(seed=5)
"""
CLASSMIX = """
model = dict(_base_.semi, _delete_=True, segmentor=_base_.model, predict_on='{network}')
train_dataloader = dict(dataset=dict(
    _delete_=True, type='mmssl.PairedDataset', labeled=dict(_base_.train_dataloader.dataset, **data),
    unlabeled=dict(_base_.train_dataloader.dataset, num_images=7, seed=1), overlap='off'))
"""


@pytest.fixture
def trained(repository, tmp_path):
    """Write the folder of a run: its config, and a checkpoint whose networks see one class everywhere."""

    def write(name: str, classes: dict, more: str = '') -> tuple[str, str]:
        semi = f", '{repository}/configs/_base_/semi/classmix.py'" if 'predict_on' in more else ''
        config = tmp_path / name / f'{name}.py'
        config.parent.mkdir()
        config.write_text(RECIPE.format(root=repository, more=semi) + more)
        model = build_segmentor(load_config(str(config)), name)
        if semi:
            model.teacher.synchronize(model.student)
        state = model.state_dict()
        for network, favourite in classes.items():
            state[f'{network}decode_head.conv_seg.weight'].zero_()
            state[f'{network}decode_head.conv_seg.bias'].copy_(torch.eye(11)[favourite])
        torch.save({'state_dict': state}, config.parent / 'iter_7.pth')
        return str(config), str(config.parent / 'iter_7.pth')

    yield write
    DefaultScope._instance_dict.clear()


@pytest.fixture
def supervised(trained):
    return trained('supervised', {'': 3})


@pytest.fixture
def classmix(trained):
    return trained('classmix', {'student.': 0, 'teacher.model.': 8}, CLASSMIX.format(network='student'))


@pytest.fixture
def tool(repository):
    spec = importlib.util.spec_from_file_location('quickstart', repository / 'tools' / 'quickstart.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_metrics(run: tuple[str, str], mean: float, *ious: float | None) -> None:
    per_class = {name: {'IoU': iou} for name, iou in zip(('Sky', 'Bicyclist', 'Pole'), ious, strict=True)}
    folder = Path(run[0]).parent / 'test'
    folder.mkdir(exist_ok=True)
    (folder / 'metrics.json').write_text(json.dumps({'mIoU': mean, 'per_class': per_class}))


def test_table_of_one_network(tool):
    metrics = {
        'mIoU': 40.04,
        'mAcc': 55.0,
        'per_class': {'Sky': {'IoU': 80.08, 'Acc': 100.0}, 'Bicyclist': {'IoU': 0.0, 'Acc': 10.0}},
    }
    metrics['per_class']['Pole'] = {'IoU': None, 'Acc': None}
    assert tool.format_table(json.loads(json.dumps(metrics))).splitlines() == [
        'class       IoU    Acc',
        '----------------------',
        'Sky        80.1  100.0',
        'Bicyclist   0.0   10.0',
        'Pole          -      -',
        '----------------------',
        'mean       40.0   55.0',
    ]


def test_one_network_is_summed_up(tool, tmp_path, capsys):
    write_metrics((str(tmp_path / 'x.py'), ''), 40.04, 80.08, 0.0, None)
    metrics = tmp_path / 'test' / 'metrics.json'
    metrics.write_text(json.dumps({**json.loads(metrics.read_text()), 'mAcc': 1.0}))
    start = round(time.time()) - 200
    tool.main(['table', str(tmp_path), '--checkpoint', 'iter_7.pth', '--start', str(start)])
    assert (tmp_path / 'per_class.txt').read_text().splitlines()[-1] == 'mean       40.0'
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith('mIoU 40.0 after 3 min 2') for line in lines)
    assert f'picture     {tmp_path / "quickstart.png"}' in lines


def test_two_networks_are_compared(tool, supervised, classmix, tmp_path, capsys):
    write_metrics(supervised, 40.0400001, 80.08, 12.5, None)
    write_metrics(classmix, 43.29, 78.05, 20.0, 0.0)
    begin = round(time.time()) - 100
    tool.main(
        ['comparison', str(tmp_path), '--supervised', *supervised, '--classmix', *classmix]
        + ['--start', str(begin), '--seconds', 'train_supervised=30', 'train_classmix=61']
    )
    table = [
        'class      supervised  ClassMix  difference',
        '-------------------------------------------',
        'Sky              80.1      78.0        -2.0',
        'Bicyclist        12.5      20.0        +7.5',
        'Pole                -       0.0           -',
        '-------------------------------------------',
        'mean             40.0      43.3        +3.2',
    ]
    assert (tmp_path / 'comparison.txt').read_text().splitlines() == table
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:8] == table
    assert 'ClassMix from     3 masks + 7 unlabelled' in lines
    assert 'train classmix    1 min 1 s' in lines

    numbers = json.loads((tmp_path / 'comparison.json').read_text())
    assert numbers['runs']['supervised'] == {
        'config': 'supervised.py',
        'checkpoint': supervised[1],
        'seed': 5,
        'labeled_images': 3,
        'unlabeled_images': 0,
        'mIoU': 40.04,
        'per_class': {'Sky': 80.08, 'Bicyclist': 12.5, 'Pole': None},
    }
    assert numbers['runs']['classmix']['unlabeled_images'] == 7
    assert numbers['difference'] == {'mIoU': 3.25, 'per_class': {'Sky': -2.03, 'Bicyclist': 7.5, 'Pole': None}}
    seconds = numbers['seconds']
    assert 100 <= seconds['total'] < 160
    assert seconds['comparison'] == seconds['total'] - 91

    picture = cv2.imread(str(tmp_path / 'quickstart.png'))[..., ::-1]
    # 96 pixels become 288, four columns; the networks see Road and Sky everywhere.
    image = render_street_scene(0, scene_index('val', 0), (64, 96), 'photo').image[..., ::-1]
    corner = np.argwhere((picture[:, 16:304] == np.kron(image, np.ones((3, 3, 1)))[0]).all(axis=(1, 2)))[0, 0]
    for left, colour in ((16 + 2 * 296, PALETTE[3]), (16 + 3 * 296, PALETTE[0])):
        panel = picture[corner : corner + 192 : 3, left : left + 288 : 3]
        assert np.abs(panel - (0.25 * image + 0.75 * colour)).max() <= 0.5


def test_a_difference_too_small_to_show_has_no_minus(tool):
    runs = [{'mIoU': value, 'per_class': {'Sky': value}} for value in (50.02, 50.0)]
    table = tool.format_comparison({'a': runs[0], 'b': runs[1]}, tool.subtract(runs[1], runs[0]))
    assert table.splitlines()[2].split() == ['Sky', '50.0', '50.0', '+0.0']


def test_classes_that_differ_are_refused(tool):
    runs = [{'mIoU': 1.0, 'per_class': {name: 1.0}} for name in ('Sky', 'Car')]
    with pytest.raises(ValueError, match=r"ClassMix \['Sky'\], expected those of the supervised run \['Car'\]"):
        tool.subtract(*runs)


def test_malformed_times_are_refused(tool, capsys):
    with pytest.raises(SystemExit):
        tool.parse_args(
            ['comparison', '.', '--start', '0', '--supervised', 'a', 'b', '--classmix', 'a', 'b', '--seconds', 'x=y']
        )
    assert '--seconds: x=y found, PART=N with whole numbers expected' in capsys.readouterr().err


def test_predictions_of_student_and_teacher(trained, supervised, classmix):
    weights = {'student.': 0, 'teacher.model.': 8}
    teacher = trained('teacher', weights, CLASSMIX.format(network='teacher'))
    found = compare_predictions([supervised, classmix, teacher], count=2)
    assert found.names == ['photo_000000.png', 'photo_000001.png']
    for prediction, favourite in zip(found.predictions, (3, 0, 8), strict=True):
        assert [each.shape for each in prediction] == [(64, 96)] * 2
        assert all((each == favourite).all() for each in prediction)
    for number in range(2):
        scene = render_street_scene(0, scene_index('val', number), (64, 96), 'photo')
        assert (found.images[number] == scene.image[..., ::-1]).all()  # RGB of BGR
        assert (found.truths[number] == scene.semantic).all()
    assert found.palette == PALETTE.tolist()
    assert len(compare_predictions([supervised], count=9).images) == 3  # all that there are


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        ('dict(dataset=dict(**data, seed=1))', 'test image photo_000000.png differs from photo_000000.png of'),
        ('dict(dataset=dict(size=(64, 96), num_images=9))', '9 test images, expected 3 as in'),
        ('dict(dataset=dict(**data, metainfo=dict(classes=("Sky",))))', r"classes \('Sky',\), expected those of"),
        ('None', 'no test_dataloader, expected the images to compare on'),
    ],
)
def test_other_test_images_are_refused(supervised, trained, images, message):
    other = trained('other', {'': 0}, f'test_dataloader = {images}')
    with pytest.raises(ValueError, match=rf'other\.py: {message}'):
        compare_predictions([supervised, other])


def test_wrong_checkpoints_are_refused(supervised, classmix):
    with pytest.raises(DataError, match='does not fit the model'):
        compare_predictions([(supervised[0], classmix[1])])
    with pytest.raises(DataNotFoundError, match=r'no\.pth: no such file'):
        compare_predictions([(supervised[0], 'no.pth')])


def test_nothing_to_compare_is_refused(supervised):
    for runs, count in (([], 4), ([supervised], 0)):
        with pytest.raises(ValueError, match=f'{len(runs)} runs, {count} images, expected at least 1 of each'):
            compare_predictions(runs, count)
