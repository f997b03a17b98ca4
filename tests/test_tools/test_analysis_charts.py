"""get_flops, plot_logs and compare_classes as commands."""

import importlib.util
import json

import cv2
import numpy as np
import pytest

MMSEG = 'mmseg::erfnet/erfnet_fcn_4xb4-160k_cityscapes-512x1024.py'


def load(repository, name):
    spec = importlib.util.spec_from_file_location(name, repository / f'tools/analysis_tools/{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def erfnet_parameters(classes: int) -> int:
    """mmseg's erfnet_fcn by hand: the network of the paper, whose last layer has 16 channels, then FCNHead."""

    def norm(channels):
        return 2 * channels

    def down(inputs, outputs):
        return (outputs - inputs) * inputs * 9 + (outputs - inputs) + norm(outputs)

    def block(channels):
        return 4 * (channels * channels * 3 + channels) + 2 * norm(channels)

    def up(inputs, outputs):
        return inputs * outputs * 9 + outputs + norm(outputs)

    encoder = down(3, 16) + down(16, 64) + 5 * block(64) + down(64, 128) + 8 * block(128)
    decoder = up(128, 64) + 2 * block(64) + up(64, 16) + 2 * block(16)
    head = 16 * 128 * 9 + norm(128) + 128 * classes + classes
    return encoder + decoder + head


def test_flops_of_mmseg_erfnet(repository, mmseg_scope, tmp_path, capsys):
    tool = load(repository, 'get_flops')
    parts = tool.main([MMSEG, '--shape', '64', '128', '--out', str(tmp_path / 'flops.json')])
    assert parts['total'].parameters == parts['backbone'].parameters + parts['decode_head'].parameters
    assert parts['total'].parameters == erfnet_parameters(19)
    # The head, at half of 64x128: 3x3 convolution 16 -> 128, 1x1 convolution 128 -> 19.
    assert parts['decode_head'].flops == 2 * 32 * 64 * (16 * 128 * 9 + 128 * 19)
    doubled = tool.main([MMSEG, '--shape', '128', '128'])
    assert doubled['total'].flops == 2 * parts['total'].flops
    written = json.loads((tmp_path / 'flops.json').read_text())
    assert written['parts']['total']['flops'] == parts['total'].flops
    assert '2,084,095' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        tool.main([MMSEG, '--shape', '0', '8'])


@pytest.fixture
def work_dirs(tmp_path):
    for name, factor in (('a', 1.0), ('b', 2.0)):
        folder = tmp_path / name / '20250101_000000/vis_data'
        folder.mkdir(parents=True)
        rows = [{'loss': factor * step, 'iter': step, 'step': step} for step in (10, 20, 30)]
        rows.append({'mIoU': 40.0 * factor, 'step': 30})
        (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, rows)))
    return tmp_path / 'a', tmp_path / 'b'


def test_plot_logs(repository, work_dirs, tmp_path, capsys):
    tool = load(repository, 'plot_logs')
    log = work_dirs[1] / '20250101_000000/vis_data/scalars.json'
    out = tmp_path / 'curves.png'
    figure = tool.main([str(work_dirs[0]), str(log), '--keys', 'loss', 'mIoU', '--smooth', '2', '--out', str(out)])
    loss, miou = figure.axes
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ['a', 'b']
    raw, smoothed = loss.lines[2:4]
    assert raw.get_xydata().tolist() == [[10, 20], [20, 40], [30, 60]]
    assert smoothed.get_xydata().tolist() == [[10, 20], [20, 30], [30, 50]]
    assert [line.get_xydata().tolist() for line in miou.lines] == [[[30, 40]], [[30, 80]]]
    assert cv2.imread(str(out)).std() > 1
    assert '| b' in capsys.readouterr().out
    with pytest.raises(ValueError, match=r'--keys lose: not in .*a, which has: loss, mIoU$'):
        tool.main([str(work_dirs[0]), '--keys', 'lose'])
    with pytest.raises(SystemExit):
        tool.main([str(work_dirs[0]), '--legend', 'x', 'y'])


def test_plot_logs_with_a_running_mean(repository, work_dirs, tmp_path, capsys):
    tool = load(repository, 'plot_logs')
    runs, out = [str(path) for path in work_dirs], str(tmp_path / 'curves.png')
    figure = tool.main([*runs, '--keys', 'loss', '--ema', '0.9', '--out', out])
    (loss,) = figure.axes
    raw, averaged = loss.lines[2:4]
    assert raw.get_xydata().tolist() == [[10, 20], [20, 40], [30, 60]]
    assert raw.get_alpha() < 1 and raw.get_color() == averaged.get_color() != loss.lines[0].get_color()
    np.testing.assert_allclose(averaged.get_ydata(), [20, 22, 25.8])
    for option in (['--ema', '1'], ['--ema', '0.9', '--smooth', '2']):
        with pytest.raises(SystemExit):
            tool.main([*runs, *option])
    assert '--ema: 1.0 found, at least 0 and below 1 expected' in capsys.readouterr().err


def test_compare_classes(repository, tmp_path, capsys):
    tool = load(repository, 'compare_classes')
    for name, sky, car in (('a', 90.0, 50.0), ('b', 92.0, 60.0), ('c', 94.0, 64.0)):
        (tmp_path / name).mkdir()
        rows = {'Sky': {'IoU': sky}, 'Car': {'IoU': car}, 'Fence': {'IoU': None}}
        (tmp_path / name / 'metrics.json').write_text(json.dumps({'per_class': rows}))
    runs = [str(tmp_path / name) for name in 'abc']
    out = tmp_path / 'chart.png'
    experiments = tool.main([*runs, '--names', 'base', 'ours', 'ours', '--out', str(out)])
    lines = {line.split('|')[1].strip(): line for line in capsys.readouterr().out.splitlines() if line.count('|') > 3}
    assert [cell.strip() for cell in lines['Sky'].split('|')[2:5]] == ['90.00', '93.00 ± 1.41', '+3.00']
    assert [cell.strip() for cell in lines['Fence'].split('|')[2:5]] == ['-', '-', '-']
    assert [cell.strip() for cell in lines['mIoU'].split('|')[2:5]] == ['70.00', '77.50 ± 2.12', '+7.50']
    assert cv2.imread(str(out)).std() > 1

    axis = tool.chart_of(experiments, 'IoU', 'title').axes[0]
    base, ours = (bars for bars in axis.containers if hasattr(bars, 'patches'))
    assert [bar.get_height() for bar in base] == [90, 50]  # no run has a fence
    assert [bar.get_height() for bar in ours] == [93, 62]
    whiskers = ours.errorbar.lines[2][0].get_segments()
    np.testing.assert_allclose(
        [whisker[:, 1] for whisker in whiskers[:2]], [[93 - 2**0.5, 93 + 2**0.5], [62 - 8**0.5, 62 + 8**0.5]]
    )
    # Bars of one class stand side by side without overlap, around the class's tick.
    for left, right, tick in zip(base, ours, axis.get_xticks(), strict=True):
        assert left.get_x() + left.get_width() == pytest.approx(right.get_x()) == pytest.approx(tick)


def test_compare_classes_by_ap(repository, tmp_path, capsys, monkeypatch):
    tool = load(repository, 'compare_classes')
    for name, person in (('a', 0.25), ('b', 0.125)):
        (tmp_path / name).mkdir()
        scores = {'coco/segm_mAP': 0.2, 'coco/person_precision': person, 'coco/traffic light_precision': None}
        (tmp_path / name / 'metrics.json').write_text(json.dumps(scores))
    monkeypatch.chdir(tmp_path)
    experiments = tool.main(['a', 'b', '--metric', 'AP'])
    lines = {line.split('|')[1].strip(): line for line in capsys.readouterr().out.splitlines() if line.count('|') > 3}
    assert [cell.strip() for cell in lines['person'].split('|')[2:5]] == ['25.00', '12.50', '-12.50']
    assert [cell.strip() for cell in lines['traffic light'].split('|')[2:5]] == ['-', '-', '-']
    assert [cell.strip() for cell in lines['mAP'].split('|')[2:5]] == ['25.00', '12.50', '-12.50']
    assert cv2.imread('class_ap.png').std() > 1
    axis = tool.chart_of(experiments, 'AP', '').axes[0]
    assert axis.get_ylabel() == 'AP in %'
    assert [[bar.get_height() for bar in bars] for bars in axis.containers] == [[25], [12.5]]
    with pytest.raises(ValueError, match=r'a/metrics.json: "per_class" with an "IoU" for each class expected'):
        tool.main(['a', 'b'])


def test_default_names_tell_runs_apart(repository):
    tool = load(repository, 'compare_classes')
    assert tool.default_names(['/w/a/seed0', '/w/b/seed0/metrics.json']) == ['a/seed0', 'b/seed0']
    assert tool.default_names(['/w/a', '/w/b']) == ['a', 'b']
