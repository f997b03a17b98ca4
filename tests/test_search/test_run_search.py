"""The loop of a search with trainings that end at once: the log, failures, and searches that go on."""

import json
from dataclasses import replace

import pytest
from mmengine.config import Config
from search_cases import SEARCHES, FakeTrainer, cheap_measure, genes_of, proxy_score, write_validation

from mmssl.apis.config import ConfigError, load_config
from mmssl.errors import DataError, DataNotFoundError
from mmssl.search.candidate import read_candidates
from mmssl.search.candidate_training import TrainingFailedError, last_value
from mmssl.search.run_search import run_search
from mmssl.search.settings import read_settings, store_settings
from mmssl.search.space import genes_key

RANDOM = str(SEARCHES / 'random_erfnet_12_streets-64x96.py')
EVOLUTION = str(SEARCHES / 'evolution_erfnet_24_streets-64x96.py')


@pytest.fixture(autouse=True)
def no_networks(monkeypatch):
    monkeypatch.setattr('mmssl.search.run_search.measure_genes', cheap_measure)


def without_times(candidates) -> list:
    return [replace(candidate, seconds=0) for candidate in candidates]


def search(path, work_dir, trainer, **options):
    return run_search(read_settings(load_config(path, options)), work_dir, trainer, lambda line: None)


@pytest.mark.parametrize('path', [RANDOM, EVOLUTION], ids=['random', 'evolution'])
def test_a_search_and_its_log(path, tmp_path):
    trainer, lines = FakeTrainer(), []
    settings = read_settings(load_config(path, {'num_candidates': 20}))
    candidates = run_search(settings, tmp_path, trainer, lines.append)
    assert [one.number for one in candidates] == list(range(20))
    assert len({genes_key(one.genes) for one in candidates}) == 20
    for one, config in zip(candidates, trainer.configs, strict=True):
        assert config == tmp_path / one.config
        cost = cheap_measure(None, one.genes)
        assert (one.parameters, one.flops) == (cost.parameters, cost.flops)
        assert one.parameters <= 1_300_000 and one.flops <= 0.42e9
        assert one.score == one.fitness == proxy_score(genes_of(config))
        assert one.state == 'finished' and one.reason is None
    assert sum(one.over_budget for one in candidates) > 0
    assert read_candidates(tmp_path / 'candidates.jsonl') == candidates
    assert len((tmp_path / 'candidates.jsonl').read_text().splitlines()) == 20
    assert lines[0].startswith('candidate 0 of 20: depth ')
    assert '20 of 20 done' in lines[-1] and 'PSNR' in lines[-1]
    parents = [one.parent for one in candidates]
    if path == RANDOM:
        assert set(parents) == {None}
    else:
        assert parents[:8] == [None] * 8
        for number in range(8, 20):
            assert number - 8 <= parents[number] < number
            parent = candidates[parents[number]].genes
            assert sum(parent[name] != candidates[number].genes[name] for name in parent) == 1


@pytest.mark.parametrize('path', [RANDOM, EVOLUTION], ids=['random', 'evolution'])
def test_an_interrupted_search_ends_as_one_that_ran_through(path, tmp_path):
    """Interrupted at the start, in the middle, while a training runs and after one that failed."""
    whole = search(path, tmp_path / 'whole', FakeTrainer(fail=(4, 11)), num_candidates=18)
    parts = tmp_path / 'parts'
    for fail, stop_at in (((), 0), ((4,), 5), ((), 3), ((3,), 7)):
        with pytest.raises(KeyboardInterrupt):
            search(path, parts, FakeTrainer(fail=fail, stop_at=stop_at), num_candidates=18)
    assert len(read_candidates(parts / 'candidates.jsonl')) == 15
    assert without_times(search(path, parts, FakeTrainer(), num_candidates=18)) == without_times(whole)
    texts = [sorted(p.relative_to(root) for p in root.rglob('*.py')) for root in (tmp_path / 'whole', parts)]
    assert texts[0] == texts[1]
    trainer = FakeTrainer()
    search(path, parts, trainer, num_candidates=18)
    assert trainer.configs == []  # finished: nothing is trained
    longer = search(path, parts, trainer, num_candidates=19)
    assert without_times(longer[:18]) == without_times(whole) and len(trainer.configs) == 1


def test_another_seed_is_another_search(tmp_path):
    found = [search(RANDOM, tmp_path / str(seed), FakeTrainer(), seed=seed) for seed in (0, 1)]
    assert [one.genes for one in found[0]] != [one.genes for one in found[1]]


def test_candidates_that_fail_stay_in_the_log(tmp_path):
    class Broken(FakeTrainer):
        def __call__(self, config, work_dir):
            super().__call__(config, work_dir)
            if len(self.configs) == 3:
                write_validation(work_dir, {'PSNR': float('nan')})

    lines = []
    settings = read_settings(load_config(RANDOM, {'num_candidates': 5}))
    candidates = run_search(settings, tmp_path, Broken(fail=(0, 4)), lines.append)
    assert [one.state for one in candidates] == ['failed', 'finished', 'failed', 'finished', 'failed']
    assert [one.reason for one in candidates if one.reason] == [
        'status 1: error: no memory',
        'PSNR is nan',
        'status 1: error: no memory',
    ]
    assert candidates[2].score is None and candidates[2].fitness is None
    assert sum('FAILED' in line for line in lines) == 3
    json.loads((tmp_path / 'candidates.jsonl').read_text().splitlines()[2], parse_constant=pytest.fail)


def test_a_recipe_that_does_not_train_ends_the_search(tmp_path):
    for _ in range(2):  # also where it goes on
        with pytest.raises(ConfigError, match="the first 3 candidates failed, the last one by 'status 1: error: no"):
            search(RANDOM, tmp_path, FakeTrainer(fail=range(12)))
    assert len(read_candidates(tmp_path / 'candidates.jsonl')) == 3


def test_lower_may_be_better(tmp_path):
    options = {'proxy.metric': 'RMSE', 'proxy.higher_is_better': False, 'num_candidates': 3}
    settings = read_settings(load_config(RANDOM, options))
    for one in run_search(settings, tmp_path, FakeTrainer('RMSE'), lambda line: None):
        assert one.fitness == -one.score


def test_a_metric_that_does_not_exist_ends_the_search(tmp_path):
    with pytest.raises(ConfigError, match="proxy: no 'PSNR' in the validations, which have: SSIM, time"):
        search(RANDOM, tmp_path, FakeTrainer('SSIM'))
    assert not (tmp_path / 'candidates.jsonl').exists()
    with pytest.raises(ConfigError, match='which have: no validation'):
        last_value(tmp_path / 'nothing', 'PSNR')
    write_validation(tmp_path / 'run', {'PSNR': float('inf')})
    with pytest.raises(TrainingFailedError, match='PSNR is inf'):
        last_value(tmp_path / 'run', 'PSNR')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'num_candidates': 0}, 'num_candidates: 0 found, 1 to 180 (the space) expected'),
        ({'num_candidates': 181}, 'num_candidates: 181 found, 1 to 180 (the space) expected'),
        ({'seed': -1}, 'seed: -1 found, a whole number from 0 expected'),
        (
            {'algorithm.type': 'grid'},
            "algorithm.type: 'grid' found, one of random, regularized_evolution expected",
        ),
        (
            {'algorithm.population_size': 4},
            "algorithm: RandomSearch got an unexpected keyword argument 'population_size'",
        ),
        ({'algorithm.type': 'regularized_evolution'}, 'algorithm: RegularizedEvolution missing 2 required'),
        (
            {'algorithm.type': 'regularized_evolution', 'algorithm.population_size': 12, 'algorithm.sample_size': 2},
            'algorithm.population_size: 12 found, below num_candidates=12 expected',
        ),
        ({'budget.memory': 4}, "budget: Budget got an unexpected keyword argument 'memory'"),
        ({'proxy.label': 4}, "proxy: unknown 'label', expected recipe, metric, higher_is_better"),
        ({'proxy.recipe': 'no/such.py'}, 'config not found: no/such.py'),
        (
            {'proxy.higher_is_better': 1},
            "proxy: metric='PSNR', higher_is_better=1 found, a name and a bool expected",
        ),
    ],
)
def test_bad_settings_are_told_in_one_line(options, message):
    with pytest.raises((ConfigError, FileNotFoundError)) as error:
        read_settings(load_config(RANDOM, options))
    assert message in str(error.value) and '\n' not in str(error.value)


def test_a_key_too_many_or_too_few():
    cfg = load_config(RANDOM)
    cfg.num_candidate = 4
    with pytest.raises(ConfigError, match="the config of a search: unknown 'num_candidate', expected proxy, "):
        read_settings(cfg)
    cfg = Config({key: value for key, value in load_config(RANDOM).items() if key != 'budget'})
    with pytest.raises(ConfigError, match="the config of a search: no 'budget', expected proxy, "):
        read_settings(cfg)


def test_a_folder_goes_on_with_its_own_search_only(tmp_path):
    settings = read_settings(load_config(RANDOM))
    with pytest.raises(DataNotFoundError, match='--resume: .*search.json does not exist'):
        store_settings(tmp_path, settings, resume=True)
    store_settings(tmp_path, settings, resume=False)
    with pytest.raises(ConfigError, match='holds a search already, --resume goes on with it'):
        store_settings(tmp_path, settings, resume=False)
    store_settings(tmp_path, read_settings(load_config(RANDOM, {'num_candidates': 30})), resume=True)
    with pytest.raises(ConfigError, match="started with another 'amp'"):
        store_settings(tmp_path, read_settings(load_config(RANDOM), amp=True), resume=True)
    for options, key in (({'seed': 1}, 'seed'), ({'budget.flops': 1e9}, 'budget'), ({'proxy.metric': 'RMSE'}, 'proxy')):
        with pytest.raises(ConfigError, match=f'started with another {key!r}; expected a new folder'):
            store_settings(tmp_path, read_settings(load_config(RANDOM, options)), resume=True)
    (tmp_path / 'search.json').write_text('{')
    with pytest.raises(DataError, match='search.json: damaged, JSONDecodeError'):
        store_settings(tmp_path, settings, resume=True)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda lines: [lines[0], '{"number": 1}', lines[2]], 'damaged, .*missing'),
        (lambda lines: [lines[0], lines[2]], r'candidates.jsonl:2: candidate 2, .finished. found, candidate 1'),
        (lambda lines: [lines[0], 'nonsense', lines[2]], 'damaged, .*:2: not JSON'),
    ],
)
def test_a_damaged_log(tmp_path, change, message):
    search(RANDOM, tmp_path, FakeTrainer(), num_candidates=3)
    path = tmp_path / 'candidates.jsonl'
    path.write_text('\n'.join(change(path.read_text().splitlines())) + '\n')
    with pytest.raises(DataError, match=message) as error:
        search(RANDOM, tmp_path, FakeTrainer(), num_candidates=4)
    assert '\n' not in str(error.value)
