"""benchmark.py --parts: the table, the ratios, and one-line errors."""

import importlib.util
import json
import re
import runpy
import sys

import numpy as np
import pytest

PLAIN = 'configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py'
CONFIG = """
_base_ = [
    '{root}/configs/_base_/models/erfnet.py', '{root}/configs/_base_/schedules/adam_600i.py',
    '{root}/configs/_base_/default_runtime.py', '{root}/configs/_base_/semi/classmix.py']
model = dict(
    _base_.semi, _delete_=True,
    segmentor=dict(
        _base_.model,
        data_preprocessor=dict(_base_.model.data_preprocessor, size=(192, 256)),
        backbone=dict(_base_.model.backbone, widths=(4, 8, 16)),
        decode_head=dict(_base_.model.decode_head, num_classes=11, in_channels=16)))
"""
NAMES = ['step', 'teacher on unlabelled', 'student on labelled', 'student on mixed', 'mixing']


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('benchmark_parts', repository / 'tools/analysis_tools/benchmark.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def config(tmp_path, repository):
    path = tmp_path / 'semi.py'
    path.write_text(CONFIG.format(root=repository))
    return str(path)


def test_table_and_numbers(tool, config, mmseg_scope, tmp_path, capsys, monkeypatch):
    taken = []
    measure = tool.time_in_turns

    def keep(*args, **kwargs):
        taken.append(measure(*args, **kwargs))
        return taken[-1]

    monkeypatch.setattr(tool, 'time_in_turns', keep)
    out = tmp_path / 'new/parts.json'
    command = [config, '--parts', '--train-shape', '64', '96', '--train-batch-size', '2', '--repeats', '3']
    numbers = tool.main([*command, '--warmup', '1', '--device', 'cpu', '--out', str(out)])
    assert json.loads(out.read_text()) == json.loads(json.dumps(numbers))
    (result,) = numbers['results']
    assert (result['mode'], result['shape'], result['batch_size']) == ('parts', (64, 96), 2)
    assert result['graph_of_teacher'] is False

    (durations,) = taken
    step, *parts, mixing = np.array(durations)
    assert np.array(durations).shape == (5, 3) and (np.array(durations) > 0).all()
    assert list(result['latency_s']) == NAMES
    for name, seconds in zip(NAMES, durations, strict=True):
        assert result['latency_s'][name]['median'] == pytest.approx(np.median(seconds))
    whole, share = result['step_to_parts'], result['mixing_to_step']
    assert whole['paired_ratios']['median'] == pytest.approx(np.median(step / sum(parts)))
    assert whole['ratio_of_medians'] == pytest.approx(np.median(step) / np.median(sum(parts)))
    assert share['paired_ratios']['median'] == pytest.approx(np.median(mixing / step))
    # Roughly what they must be, on any machine: the step is its parts and a little, mixing a small share of it.
    assert 0.5 < whole['paired_ratios']['median'] < 3
    assert 0 < share['paired_ratios']['median'] < 0.5

    text = capsys.readouterr().out
    assert 'training step, 2 + 2 images, 64x96' in text
    rows = [line for line in text.splitlines() if line.startswith('| ')]
    assert [row.split('|')[1].strip() for row in rows[-5:]] == NAMES
    median = 1e3 * result['latency_s']['step']['median']
    assert re.search(rf'\| step +\| +{median:.1f} \|', text)
    assert f'step / sum of its three parts: {whole["paired_ratios"]["median"]:.3f} (median of the rounds)' in text
    assert f'mixing / step: {share["paired_ratios"]["median"]:.4f}' in text
    assert 'the teacher keeps no graph' in text


def test_parts_measure_one_config_alone(tool, config, capsys):
    with pytest.raises(SystemExit) as stop:
        tool.main([config, '--parts', '--against', config])
    assert stop.value.code == 2
    assert '--parts measures CONFIG alone, not with --against' in capsys.readouterr().err


def test_a_plain_config_ends_with_one_line(repository, monkeypatch, capsys):
    command = ['benchmark.py', str(repository / PLAIN), '--parts', '--train-shape', '32', '48', '--device', 'cpu']
    monkeypatch.setattr(sys, 'argv', command)
    monkeypatch.delenv('MMSSL_TRACEBACK', raising=False)
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(repository / 'tools/analysis_tools/benchmark.py'), run_name='__main__')
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    assert PLAIN in error and 'EncoderDecoder found, a SemiSupervisedSegmentor expected' in error
