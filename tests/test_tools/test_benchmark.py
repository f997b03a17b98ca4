"""The command: numbers, table and one-line errors."""

import importlib.util
import json
import runpy
import sys

import pytest

MMSEG = 'mmseg::erfnet/erfnet_fcn_4xb4-160k_cityscapes-512x1024.py'
OURS = 'configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py'


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('benchmark', repository / 'tools/analysis_tools/benchmark.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_networks_in_turns(tool, repository, mmseg_scope, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tool, 'measure_in_fresh_process', lambda spec: 3_000_000 if spec.config == MMSEG else 1_500_000)
    command = [str(repository / OURS), '--against', MMSEG, '--shape', '32', '64', '--train-shape', '32', '48']
    command += [
        '--train-batch-size',
        '2',
        '--repeats',
        '3',
        '--warmup',
        '1',
        '--out',
        str(tmp_path / 'new/numbers.json'),
    ]
    numbers = tool.main(command)
    assert json.loads((tmp_path / 'new/numbers.json').read_text()) == json.loads(json.dumps(numbers))
    inference, train = numbers['results']
    assert (inference['mode'], inference['shape'], inference['batch_size']) == ('inference', (32, 64), 1)
    assert (train['mode'], train['shape'], train['batch_size']) == ('train', (32, 48), 2)
    for result in numbers['results']:
        first, second = result['runs']
        medians = [sorted(run['seconds'])[1] for run in (first, second)]
        assert [run['latency_s']['median'] for run in (first, second)] == medians
        assert first['images_per_s'] == pytest.approx(result['batch_size'] / medians[0])
        assert result['ratio']['ratio_of_medians'] == pytest.approx(medians[0] / medians[1])
    text = capsys.readouterr().out
    assert 'folding, erfnet_1xb8-600i_camvid-192x256: done' in text
    assert 'folding, erfnet_fcn_4xb4-160k_cityscapes-512x1024: no block' in text
    assert f'{train["ratio"]["ratio_of_medians"]:.3f} (medians)' in text
    assert 'peak memory of the first / the second: 0.500' in text


def test_memory_comes_from_a_process_of_its_own(tool, mmseg_scope, capsys):
    command = [MMSEG, '--mode', 'inference', '--shape', '32', '64', '--repeats', '1', '--warmup', '1', '--no-fold']
    (result,) = tool.main(command)['results']
    assert 'ratio' not in result
    assert 4 * 2_084_095 < result['runs'][0]['peak_memory_bytes'] < 500e6
    assert 'not asked for' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--shape', '0', '64'], 'argument --shape: 0 found, a whole number above 0 expected'),
        (['--repeats', '-1'], 'argument --repeats'),
        (['--against-checkpoint', 'x.pth'], 'need --against'),
    ],
)
def test_bad_arguments(tool, arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        tool.main([MMSEG, *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_unknown_config_ends_with_one_line(repository, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['benchmark.py', 'nowhere.py'])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(repository / 'tools/analysis_tools/benchmark.py'), run_name='__main__')
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    assert 'nowhere.py' in error
