"""The command: its ratios, the growth, memory of a process of its own, refusals in one line."""

import importlib
import json
import math
import os

import pytest
import torch


@pytest.fixture
def tool(repository, monkeypatch):
    # Importable by its name, so that the process that measures memory finds it too.
    monkeypatch.syspath_prepend(str(repository / 'tools/analysis_tools'))
    return importlib.import_module('propagation_cost')


def area_cost(workload) -> int:
    """Bytes of a made-up machine: PPM needs the square of the area, LocalPPM ten of it, none one."""
    area = workload.size**2
    return {'PPM': area**2, 'LocalPPM': 10 * area, 'none': area}[workload.kind]


def test_ratios_and_growth(tool, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(tool, 'measure_memory', area_cost)
    out = tmp_path / 'new/numbers.json'
    command = ['--sizes', '12', '6', '--batch-size', '2', '--channels', '8', '--frame', '3', '--repeats', '5']
    numbers = tool.main([*command, '--device', 'cpu', '--out', str(out)])
    assert json.loads(out.read_text()) == json.loads(json.dumps(numbers))
    assert [(row['size'], row['kind']) for row in numbers['rows']] == [
        (size, kind) for size in (6, 12) for kind in ('PPM', 'LocalPPM', 'none')
    ]
    ratios = [row['memory_to_ppm'] for row in numbers['rows']]
    assert ratios == pytest.approx([1, 10 / 36, 1 / 36, 1, 10 / 144, 1 / 144])
    assert [row['time_to_ppm'] for row in numbers['rows']][::3] == [1, 1]
    for kind, exponent in (('PPM', 2), ('LocalPPM', 1), ('none', 1)):
        assert numbers['growth'][kind]['memory'] == pytest.approx(exponent)
        medians = [row['latency_s']['median'] for row in numbers['rows'] if row['kind'] == kind]
        assert numbers['growth'][kind]['time'] == pytest.approx(math.log(medians[1] / medians[0]) / math.log(4))
    text = capsys.readouterr().out
    assert 'device cpu' in text
    assert '| 12x12 | LocalPPM |' in text
    assert '0.278' in text
    assert f'power of {numbers["growth"]["PPM"]["time"]:.2f} in time, 2.00 in memory' in text


def test_maps_too_large_for_ppm(tool, monkeypatch, capsys):
    monkeypatch.setattr(tool, 'measure_memory', area_cost)
    command = ['--sizes', '4', '8', '--batch-size', '1', '--channels', '4', '--frame', '2', '--repeats', '1']
    numbers = tool.main([*command, '--ppm-up-to', '4', '--device', 'cpu'])
    assert [(row['size'], row['kind']) for row in numbers['rows']][3:] == [(8, 'LocalPPM'), (8, 'none')]
    assert 'memory_to_ppm' not in numbers['rows'][3]
    assert set(numbers['growth']) == {'LocalPPM', 'none'}
    assert '- |' in capsys.readouterr().out


def test_step_is_a_forward_and_backward_pass(tool):
    for kind, name in (('PPM', 'PPM'), ('LocalPPM', 'LocalPPM'), ('none', 'Identity')):
        step = tool.build_step(tool.Workload(kind, 6, 2, 8, 3, 'cpu', 1))
        held = dict(zip(step.__code__.co_freevars, (cell.cell_contents for cell in step.__closure__), strict=True))
        assert type(held['module']).__name__ == name
        step()
        assert held['x'].shape == (2, 8, 6, 6)
        assert held['x'].grad.abs().max() > 0
        assert getattr(held['module'], 'frame_size', (3, 3)) == (3, 3)


@pytest.mark.skipif(not os.path.exists('/proc/self/clear_refs'), reason='the peak is reset on Linux alone')
def test_memory_of_processes_of_their_own(tool):
    """What is known: none holds the map, its gradient and the output's; PPM many matrices of all pairs beside them."""
    shared = {'size': 56, 'batch_size': 2, 'channels': 64, 'frame': 7, 'device': 'cpu', 'threads': 1}
    known = dict(os.environ)
    none, local, whole = (tool.measure_memory(tool.Workload(kind, **shared)) for kind in ('none', 'LocalPPM', 'PPM'))
    assert dict(os.environ) == known
    maps, pairs = 2 * 64 * 56**2 * 4, 2 * 56**4 * 4
    assert 2.5 * maps < none < 3.5 * maps
    assert 5 * maps < local < 14 * maps
    assert 3 * pairs < whole < 6 * pairs + 10 * maps


def test_less_memory_than_there_is_ends_with_one_line(tool, monkeypatch):
    def run_out(workload):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(tool, 'measure_here', run_out)
    with pytest.raises(MemoryError, match='PPM on 56x56: memory ran out'):
        tool.measure_memory(tool.Workload('PPM', 56, 16, 256, 7, 'cuda', 1))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--sizes', '5', '14'], 'error: --sizes: 5 found, at least --frame 7 expected'),
        (['--repeats', '0'], 'argument --repeats: 0 found, a whole number above 0 expected'),
        (['--frame', 'x'], 'argument --frame: x found, a whole number above 0 expected'),
    ],
)
def test_bad_arguments(tool, arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        tool.main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
