"""tools/analysis_tools/seed_table.py: mean, spread and gain by seed, by hand."""

import importlib.util
import json

import pytest

from mmssl.apis.seed_table import group_seeds, read_seed_run


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('seed_table', repository / 'tools/analysis_tools/seed_table.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path):
    """Writes a work dir: two validations, 20 iterations of which 10 took 0.5 s and 10 took 0.25 s each."""

    def write(recipe: str, seed: int, last: float, *, teacher: float | None = None, step: int = 20) -> str:
        folder = tmp_path / f'{recipe}-{seed}'
        (folder / 'log/vis_data').mkdir(parents=True)
        (folder / f'{recipe}.py').write_text(f'randomness = dict(seed={seed})\n')
        extra = {} if teacher is None else {'teacher/mIoU': teacher}
        rows = [
            {'time': 0.5, 'iter': 10, 'step': 10},
            {'mIoU': 99.0, 'step': 10},  # the best one is not the last one
            {'time': 0.25, 'iter': step, 'step': step},
            {'mIoU': last, 'step': step, **extra},
        ]
        (folder / 'log/vis_data/scalars.json').write_text(''.join(json.dumps(row) + '\n' for row in rows))
        return str(folder)

    return write


def test_mean_spread_and_gain_by_seed(tool, run, tmp_path):
    runs = [run('plain', 0, 40.0), run('plain', 1, 44.0), run('plain', 2, 42.0)]
    runs += [
        run('mixed', 2, 45.5, teacher=50.0),
        run('mixed', 0, 41.0, teacher=48.0),
        run('mixed', 1, 43.0, teacher=52.0),
    ]
    plain, mixed = tool.main([*runs, '--keys', 'mIoU', 'teacher/mIoU', '--out', str(tmp_path / 'out/table.md')])
    assert (plain.seeds, plain.step, plain.mean('mIoU'), plain.deviation('mIoU')) == ((0, 1, 2), 20, 42.0, 2.0)
    assert plain.seconds == 10 * 0.5 + 10 * 0.25
    assert mixed.values == {'mIoU': (41.0, 43.0, 45.5), 'teacher/mIoU': (48.0, 52.0, 50.0)}
    assert mixed.gains(plain, 'mIoU') == {0: 1.0, 1: -1.0, 2: 3.5}
    assert (tmp_path / 'out/table.md').read_text().splitlines() == [
        '| recipe | seeds | mIoU | teacher/mIoU | mIoU - plain, by seed | minutes |',
        '|---|---|---|---|---|---|',
        '| plain | 0, 1, 2 | 42.0 ± 2.0 |  |  | 0.1 |',
        '| mixed | 0, 1, 2 | 43.2 ± 2.3 | 50.0 ± 2.0 | +1.0, -1.0, +3.5 | 0.1 |',
    ]


def test_another_baseline_and_seeds_that_one_side_lacks(tool, run, capsys):
    runs = [run('plain', 0, 40.0), run('plain', 5, 50.0), run('mixed', 5, 47.0)]
    plain, mixed = tool.main([*runs, '--baseline', 'mixed'])
    assert plain.gains(mixed, 'mIoU') == {5: 3.0}
    assert mixed.deviation('mIoU') is None
    assert '| plain | 0, 5 | 45.0 ± 7.1 | +3.0 | 0.1 |' in capsys.readouterr().out


def test_runs_that_do_not_belong_together(run):
    with pytest.raises(ValueError, match=r'plain: last validations at iterations \[15, 20\]'):
        group_seeds([read_seed_run(run('plain', seed, 1.0, step=15 + 5 * seed), ['mIoU']) for seed in (0, 1)])
    twice = read_seed_run(run('mixed', 3, 1.0), ['mIoU'])
    with pytest.raises(ValueError, match=r'mixed: seeds \(3, 3\) found, each once'):
        group_seeds([twice, twice])


def test_what_is_no_finished_training(tool, run, tmp_path):
    folder = run('plain', 0, 40.0)
    with pytest.raises(ValueError, match=r'plain-0: none of mAcc in the validations, which have: mIoU'):
        read_seed_run(folder, ['mAcc'])
    with pytest.raises(FileNotFoundError, match=r'nothing: no config'):
        read_seed_run(tmp_path / 'nothing', ['mIoU'])
    with pytest.raises(ValueError, match=r'--baseline other: not among the runs, which are of plain'):
        tool.main([folder, '--baseline', 'other'])
    with pytest.raises(ValueError, match=r'--keys teacher/mIoU: not in the validations of plain'):
        tool.main([folder, run('mixed', 0, 1.0, teacher=2.0), '--keys', 'teacher/mIoU', 'mIoU'])
    (tmp_path / 'mixed-0' / 'mixed.py').write_text('randomness = dict()\n')
    with pytest.raises(ValueError, match=r'mixed\.py: no randomness\.seed'):
        read_seed_run(tmp_path / 'mixed-0', ['mIoU'])
    (tmp_path / 'plain-0' / 'other.py').touch()
    with pytest.raises(ValueError, match=r'plain-0: 2 configs found'):
        read_seed_run(folder, ['mIoU'])
