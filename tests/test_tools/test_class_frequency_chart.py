"""class_frequencies.py with several datasets."""

import importlib.util
import json

import cv2
import numpy as np
import pytest

STREETS = 'configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'
OPTIONS = ['--cfg-options', 'train_dataloader.dataset.num_images=2', 'train_dataloader.dataset.size=(64, 64)']


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('classes', repository / 'tools/analysis_tools/class_frequencies.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def found(tool):
    return [
        tool.Proportions('A', 'a.py', 3, ('road', 'sky', 'tram'), np.array([0.75, 0.25, 0.0])),
        tool.Proportions('B', 'b.py', 4, ('Sky', 'Road', 'car'), np.array([0.5, 0.498, 0.002])),
    ]


def test_classes_are_matched_by_name(tool, found):
    names, shares = tool.join_classes(found)
    assert names == ['road', 'sky', 'tram', 'car']
    np.testing.assert_array_equal(shares, [[0.75, 0.25, 0, np.nan], [0.498, 0.5, np.nan, 0.002]])
    twice = tool.Proportions('C', 'c.py', 1, ('road', 'Road'), np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match='c.py: two classes of one name'):
        tool.join_classes([twice])


def test_table(tool, found):
    lines = tool.shares_table(found).splitlines()
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines if line.startswith('|')]
    assert rows == [
        ['share of labelled pixels / %', 'A', 'B'],
        ['road', '75.000', '49.800'],
        ['sky', '25.000', '50.000'],
        ['tram', '0.000', '-'],
        ['car', '-', '0.200'],
    ]


def test_chart(tool, found):
    (axis,) = tool.chart_of(found).axes
    assert axis.get_yscale() == 'log'
    assert axis.get_ylim() == (0.1, 100)  # a decade below 0.2 %
    first, second = axis.containers
    np.testing.assert_allclose([bar.get_height() for bar in first], [75, 25, np.nan, np.nan])
    np.testing.assert_allclose([bar.get_height() for bar in second], [49.8, 50, np.nan, 0.2])
    for left, right, tick in zip(first, second, axis.get_xticks(), strict=True):
        assert left.get_x() + left.get_width() == pytest.approx(right.get_x()) == pytest.approx(tick)
    assert [label.get_text() for label in axis.get_xticklabels()] == ['road', 'sky', 'tram', 'car']
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ['A', 'B']


def test_labels(tool, tmp_path):
    assert tool.split_label('mmseg::a/b.py=Cityscapes') == ('mmseg::a/b.py', 'Cityscapes')
    assert tool.split_label('mmseg::a/b.py') == ('mmseg::a/b.py', 'b')
    odd = tmp_path / 'lr=0.1.py'
    odd.touch()
    assert tool.split_label(str(odd)) == (str(odd), 'lr=0.1')


def test_command(tool, repository, mmseg_scope, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = repository / STREETS
    found = tool.main([f'{config}=one', f'{config}=two', '--json', 'new/classes.json', *OPTIONS])
    assert cv2.imread('class_frequencies.png').std() > 1
    numbers = json.loads((tmp_path / 'new/classes.json').read_text())
    assert numbers['split'] == 'train'
    assert [(each['label'], each['masks']) for each in numbers['datasets']] == [('one', 2), ('two', 2)]
    assert sum(numbers['datasets'][1]['frequencies'].values()) == pytest.approx(1)
    assert numbers['datasets'][0]['frequencies']['Road'] == found[0].frequencies[3] > 0.1
    out = capsys.readouterr().out
    assert 'one, train: 2 masks' in out
    assert 'weight' not in out
    # A single dataset gets its table and class weights alone, and a chart where one is asked for.
    (tmp_path / 'class_frequencies.png').unlink()
    tool.main([str(config), *OPTIONS])
    assert 'weight' in capsys.readouterr().out
    assert not (tmp_path / 'class_frequencies.png').exists()
    tool.main([str(config), '--chart', 'single.png', *OPTIONS])
    assert cv2.imread('single.png').std() > 1


def test_a_config_without_data(tool, mmseg_scope, capsys):
    with pytest.raises(SystemExit):
        tool.main(['mmseg::_base_/models/erfnet_fcn.py'])
    assert "error: mmseg::_base_/models/erfnet_fcn.py: no key 'train_dataloader'" in capsys.readouterr().err
