"""The share of confident pixels over the training, from logs that are written here."""

import importlib.util
import json
import math

import cv2
import numpy as np
import pytest

from mmssl.apis.confidence_curve import ramp, read_confidence


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('confidence', repository / 'tools/analysis_tools/confidence_curve.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_run(folder, rows):
    path = folder / '20250101_000000/vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, rows)))
    return folder


@pytest.fixture
def runs(tmp_path):
    """The first 50 iterations of ``a`` were burn-in; beside its rows are those of validation and of class shares."""
    a = [{'loss': 1.0, 'iter': 50, 'step': 50}]
    for step, share in ((100, 0.2), (150, 0.4), (200, 0.9)):
        a.append({'pseudo_labels/road': 0.5, 'step': step})
        a.append({'loss': 1.0, 'pseudo/confident_share': share, 'iter': step, 'step': step})
    a.append({'mIoU': 40.0, 'step': 200})
    b = [{'train/pseudo/confident_share': 0.1, 'iter': 400, 'step': 400}]
    return write_run(tmp_path / 'a', a), write_run(tmp_path / 'b', b)


def test_records(runs):
    curve = read_confidence(runs[0], 'a')
    assert curve.iterations.tolist() == [100, 150, 200]
    assert curve.shares.tolist() == [0.2, 0.4, 0.9]
    np.testing.assert_allclose(curve.running_mean(2), [0.2, 0.3, 0.65])
    assert read_confidence(runs[1] / '20250101_000000/vis_data/scalars.json', 'b').shares.tolist() == [0.1]


def test_ramp():
    iterations, weights = ramp(10000, 5.0, 20000, points=5)
    assert iterations.tolist() == [0, 5000, 10000, 15000, 20000]
    np.testing.assert_allclose(weights, [math.exp(-5), math.exp(-1.25), 1, 1, 1])


def test_command(tool, runs, tmp_path, capsys):
    out = tmp_path / 'new/chart.png'
    options = ['--window', '2', '--ramp-iterations', '200', '--slope', '3', '--out', str(out)]
    (axis,) = tool.main([*map(str, runs), *options]).axes
    dots, mean, _, _, sigmoid = axis.lines
    assert dots.get_xydata().tolist() == [[100, 0.2], [150, 0.4], [200, 0.9]]
    assert dots.get_linestyle() == 'None'
    np.testing.assert_allclose(mean.get_xydata(), [[100, 0.2], [150, 0.3], [200, 0.65]])
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ['a', 'b', 'sigmoid ramp-up, 200 iterations']
    x, y = sigmoid.get_data()
    assert (x[0], x[-1]) == (0, 400)
    np.testing.assert_allclose(y, np.exp(-3 * (1 - np.minimum(x, 200) / 200) ** 2))
    assert cv2.imread(str(out)).std() > 1
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in capsys.readouterr().out.splitlines()]
    assert ['a', '3', '200', '90.0', '65.0'] in rows
    assert ['b', '1', '400', '10.0', '10.0'] in rows


def test_bad_input(tool, runs, tmp_path):
    supervised = write_run(tmp_path / 'c', [{'loss': 1.0, 'iter': 50, 'step': 50}])
    with pytest.raises(ValueError, match=r"run .*/c: no 'pseudo/confident_share' in its log, .*mmssl.PseudoLabelHook"):
        tool.main([str(runs[0]), str(supervised)])
    with pytest.raises(FileNotFoundError, match='no such file or folder'):
        tool.main([str(tmp_path / 'none')])
    for options in (['--window', '0'], ['--ramp-iterations', '0'], ['--legend', 'x', 'y']):
        with pytest.raises(SystemExit):
            tool.main([str(runs[0]), *options])
