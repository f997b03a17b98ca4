"""tools/architecture_search.py and proxy_correlation.py from the command line, with trainings that end at once."""

import importlib.util

import pytest
from search_cases import ROOT, SEARCHES, FakeTrainer, cheap_measure

from mmssl.search.candidate import read_candidates

RANDOM = str(SEARCHES / 'random_erfnet_12_streets-64x96.py')


def load(name: str):
    spec = importlib.util.spec_from_file_location(f'tool_{name.split("/")[-1]}', ROOT / f'tools/{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run either tool in one work dir; returns what it returned and the trainer."""
    monkeypatch.setattr('mmssl.search.run_search.measure_genes', cheap_measure)
    monkeypatch.setattr('signal.signal', lambda *arguments: None)  # the test's process keeps its own

    def search(*options, trainer=None):
        tool, trainer = load('architecture_search'), trainer or FakeTrainer()
        monkeypatch.setattr(tool, 'Trainer', lambda *arguments: trainer)
        return tool.main([RANDOM, '--work-dir', str(tmp_path), *options]), trainer

    def correlate(*options, trainer=None):
        tool, trainer = load('analysis_tools/proxy_correlation'), trainer or FakeTrainer('mIoU')
        monkeypatch.setattr(tool, 'Trainer', lambda *arguments: trainer)
        return tool.main([str(tmp_path), *options]), trainer

    search.correlate = correlate
    return search


def test_search_then_correlation(run, tmp_path, capsys):
    """The fake score of a candidate is the same in both trainings: the rankings agree entirely."""
    few = ['--cfg-options', 'num_candidates=7']
    with pytest.raises(KeyboardInterrupt):
        run(*few, trainer=FakeTrainer(stop_at=4))
    candidates, trainer = run('--resume', *few, trainer=FakeTrainer(fail=(1,)))
    assert len(candidates) == 7 and len(trainer.configs) == 3
    best = max((one for one in candidates if one.finished), key=lambda one: one.score)
    text = capsys.readouterr().out
    assert '4 candidates ended before, 0 of them failed' in text
    assert f'best candidate: {tmp_path / best.config}\n' in text
    assert f'its segmentation: {tmp_path / best.config.replace("proxy", "segmentation")}\n' in text
    assert (tmp_path / best.config.replace('proxy', 'segmentation')).is_file()
    table = (tmp_path / 'ranking.md').read_text()
    assert table in text and '- candidate 5 failed: ' in table and '7 candidates, 1 failed' in table
    assert (tmp_path / 'ranking.png').stat().st_size > 5000
    found, trainer = run.correlate('--candidates', '4')
    assert found['proxy: PSNR'].n == 4 and len(trainer.configs) == 4
    assert (found['proxy: PSNR'].spearman, found['proxy: PSNR'].kendall) == pytest.approx((1, 1))
    assert trainer.configs[0].name == f'segmentation_{best.number:03d}.py'
    found, trainer = run.correlate()
    assert found['proxy: PSNR'].n == 6 and len(trainer.configs) == 2
    text = capsys.readouterr().out
    assert (tmp_path / 'correlation.md').read_text() in text and '| proxy: PSNR | 6 | +1.00 | ' in text
    assert (tmp_path / 'correlation.png').stat().st_size > 5000


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            ['--cfg-options', 'budget.parameters=10', 'budget.max_draws=20'],
            'error: candidate 0: 20 draws, 20 beyond the budget of 10 parameters and 0.42 GFLOPs',
        ),
        (['--cfg-options', 'space.depth=[5,5]'], 'error: space.depth: 5 found twice, each option once expected'),
        (['--cfg-options', 'algorithm.type=grid'], "error: algorithm.type: 'grid' found, one of random, "),
        (['--resume'], 'search.json does not exist, the work dir of a search expected'),
    ],
)
def test_mistakes_are_one_line(run, capsys, options, message):
    with pytest.raises(SystemExit) as end:
        run(*options)
    errors = capsys.readouterr().err
    assert end.value.code == 1 and message in errors and errors.count('\n') == 1


def test_a_search_whose_candidates_all_fail_does_not_end_well(run, capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        run('--cfg-options', 'num_candidates=2', trainer=FakeTrainer(fail=(0, 1)))
    out, errors = capsys.readouterr()
    assert end.value.code == 1
    assert errors == (
        'error: all 2 candidates failed; the first: status 1: error: no memory (MMSSL_TRACEBACK=1 shows where)\n'
    )
    assert '2 candidates, 2 failed' in out and len(read_candidates(tmp_path / 'candidates.jsonl')) == 2
    with pytest.raises(SystemExit):
        run.correlate()
    assert '0 candidates to compare, at least 3 expected' in capsys.readouterr().err


def test_correlation_needs_a_search(run, capsys):
    with pytest.raises(SystemExit):
        run.correlate()
    assert (
        'search.json: does not exist, the work dir of tools/architecture_search.py expected' in capsys.readouterr().err
    )
