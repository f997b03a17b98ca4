"""The tool that measures what the promises cost finds all parts, and they cost little."""

import importlib.util

import pytest


@pytest.fixture
def tool(repository):
    path = repository / 'tools/analysis_tools/reliability_cost.py'
    spec = importlib.util.spec_from_file_location('reliability_cost', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_parts_of_a_step_and_of_saving(tool, repository, tmp_path, capsys):
    recipe = repository / 'configs/classmix/supervised_erfnet_1xb4-700i_streets-1of25-64x96.py'
    shares = tool.main(
        [
            str(recipe),
            '--iterations',
            '4',
            '--warmup',
            '2',
            '--saves',
            '2',
            '--megabytes',
            '2',
            '--folder',
            str(tmp_path),
        ]
    )
    parts = {'seed of the step', 'seeds of the samples', 'ResumeCheckHook', 'PreemptionHook', 'NonFiniteLossHook'}
    saving = {name for name in shares if name.startswith('saving ')}
    assert shares.keys() == parts | {'all'} | saving and len(saving) == 6
    compared = ('going on / torch.save', "going on / mmengine's way", 'in its place / torch.save and fsync')
    assert {f'saving 2.0 MB: {pair}' for pair in compared} < saving
    assert all(shares[part] > 0 for part in parts)
    assert shares['all'] == pytest.approx(sum(shares[part] for part in parts))
    assert shares['all'] < 0.02  # the target; some hundredths of it are usual
    assert all(shares[name] > 0 for name in saving)
    printed = capsys.readouterr().out
    assert 'median of 4' in printed and 'MB: going on / torch.save ' in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('option', ['--iterations', '--warmup', '--saves'])
def test_numbers_below_one_are_refused(tool, option, capsys):
    with pytest.raises(SystemExit):
        tool.main(['config.py', option, '0'])
    assert 'expected 1 or more' in capsys.readouterr().err
