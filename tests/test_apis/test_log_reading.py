"""Curves from mmengine's scalars."""

import json

import numpy as np
import pytest

from mmssl.apis.log_reading import exponential_average, find_logs, read_rows, read_run, smooth, to_curves


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return path


def train(*steps, factor=1.0, **extra):
    return [{'loss': factor * step, 'iter': step, 'step': step, **extra} for step in steps]


def test_iterations():
    curves = to_curves([*train(10, 20), {'mIoU': 5.0, 'aAcc': None, 'step': 20}, *train(30), {'mIoU': 7.0, 'step': 30}])
    assert curves.train == {'loss': [(10, 10.0), (20, 20.0), (30, 30.0)]}
    assert curves.val == {'mIoU': [(20, 5.0), (30, 7.0)]}
    assert curves.keys == ['loss', 'mIoU']


def test_epochs_become_iterations():
    rows = [*train(4, 8, epoch=1), {'mIoU': 1.0, 'step': 1}, *train(12, 16, epoch=2), {'mIoU': 2.0, 'step': 2}]
    assert to_curves(rows).val == {'mIoU': [(8, 1.0), (16, 2.0)]}


def test_newest_run_of_a_work_dir_stands_alone(tmp_path):
    write(tmp_path / '20250101_000000/vis_data/scalars.json', train(5, 10, 15))
    newest = write(tmp_path / '20250102_000000/vis_data/scalars.json', train(10, 20, factor=3.0))
    (tmp_path / '20250103_000000').mkdir()  # a test run leaves no scalars
    assert find_logs(tmp_path) == [newest]
    assert read_run(tmp_path).train == {'loss': [(10, 30.0), (20, 60.0)]}


def test_resumed_runs_are_joined(tmp_path):
    write(tmp_path / '1/vis_data/scalars.json', train(10))  # an earlier attempt, not continued
    write(
        tmp_path / '2/vis_data/scalars.json',
        [*train(10, 20), {'mIoU': 2.0, 'step': 20}, *train(30, 40), {'mIoU': 4.0, 'step': 40}],
    )
    # Resumed from the checkpoint of iteration 20, again from 40.
    write(tmp_path / '3/vis_data/scalars.json', [*train(30, 40, factor=2.0), {'mIoU': 4.5, 'step': 40}])
    write(tmp_path / '4/vis_data/scalars.json', train(50, factor=3.0))
    curves = read_run(tmp_path)
    assert curves.train['loss'] == [(10, 10), (20, 20), (30, 60), (40, 80), (50, 150)]
    assert curves.val['mIoU'] == [(20, 2.0), (40, 4.5)]


def test_cut_off_line(tmp_path):
    path = write(tmp_path / 'log.json', train(1, 2))
    path.write_text(path.read_text() + '{"loss": 3.0, "it')
    with pytest.warns(UserWarning, match=r'log\.json:3'):
        assert [row['step'] for row in read_rows(path)] == [1, 2]
    path.write_text('{"loss": 1.0\n{"loss": 1.0}\n')
    with pytest.raises(ValueError, match=r'log\.json:1: not JSON'):
        read_rows(path)


def test_missing(tmp_path):
    for source in (tmp_path, tmp_path / 'none'):
        with pytest.raises(FileNotFoundError, match=str(source)):
            find_logs(source)


def test_smoothing_by_hand():
    assert smooth([1, 3, 5, 7], 1).tolist() == [1, 3, 5, 7]
    assert smooth([1, 3, 5, 7], 3).tolist() == [1, 2, 3, 5]
    assert smooth([1, np.nan, 5, 7], 2).tolist() == [1, 1, 5, 6]
    with pytest.raises(ValueError, match='--smooth: 0'):
        smooth([1], 0)


def test_running_mean_by_hand():
    """S3, equation 24: beta V + (1 - beta) theta, from the first value on."""
    np.testing.assert_allclose(exponential_average([1, 3, 5, 7], 0.5), [1, 2, 3.5, 5.25])
    np.testing.assert_allclose(exponential_average([1, 3], 0.99), [1, 1.02])
    np.testing.assert_allclose(exponential_average([np.nan, 1, np.nan, 3], 0.5), [np.nan, 1, 1, 2])
    assert exponential_average([1, 3, 5], 0).tolist() == [1, 3, 5]
    with pytest.raises(ValueError, match='--ema: 1 found, at least 0 and below 1 expected'):
        exponential_average([1], 1)
