"""Regularised evolution and random search against slow references, without trainings."""

from collections import deque

import numpy as np
import pytest
from search_cases import candidate

from mmssl.apis.config import ConfigError
from mmssl.search.random_search import RandomSearch
from mmssl.search.regularized_evolution import RegularizedEvolution
from mmssl.search.space import check_space, mutate_genes, sample_genes

SPACE = check_space(
    {
        'depth': tuple(range(40)),
        'widths': ((8, 24, 48), (16, 64, 128)),
        'dilations': ((1, 2), (2, 4, 8, 16)),
        'norm_cfg': ({'type': 'BN'}, {'type': 'GN', 'num_groups': 8}),
    }
)


def fitness_of(genes: dict) -> float:
    return genes['depth'] + genes['widths'][0] / 100


def queue_reference(population_size, sample_size, failing, total):
    """Algorithm 1 of the paper, with the queue that it names, one generator for each candidate."""
    population, history = deque(), []
    while len(history) < total:
        generator = np.random.default_rng((5, len(history)))
        number = len(history)
        parent = None
        if len(population) < population_size:
            genes = sample_genes(SPACE, generator)
        else:
            tournament = []
            for index in generator.integers(population_size, size=sample_size):
                tournament.append(population[index])
            best = tournament[0]
            for one in tournament[1:]:
                if one[2] > best[2]:
                    best = one
            parent = best[0]
            genes = mutate_genes(SPACE, best[1], generator)
        failed = number in failing
        history.append((number, genes, None if failed else fitness_of(genes), parent))
        if not failed:
            population.append((number, genes, fitness_of(genes)))
            if len(population) > population_size:
                population.popleft()
    return history


@pytest.mark.parametrize(('population', 'sample'), [(6, 3), (5, 5), (1, 1), (4, 1)])
@pytest.mark.parametrize('failing', [(), (0, 3, 11, 12, 13)])
def test_the_population_is_the_queue_of_the_paper(population, sample, failing):
    algorithm = RegularizedEvolution(population, sample)
    history = []
    for number in range(40):
        genes, parent = algorithm.propose(SPACE, history, np.random.default_rng((5, number)))
        fitness = None if number in failing else fitness_of(genes)
        history.append(candidate(number, fitness, genes=genes, parent=parent))
    found = [(one.number, one.genes, one.fitness, one.parent) for one in history]
    assert found == queue_reference(population, sample, failing, 40)
    for one in history:
        alive = [other.number for other in history[: one.number] if other.finished][-population:]
        assert (one.parent is None) == (len(alive) < population)
        assert one.parent is None or one.parent in alive


def test_the_oldest_dies_even_when_it_is_the_best():
    """A tournament of the whole population, drawn often: the best of all is gone after P children."""
    history = [candidate(0, 100.0), *(candidate(number, float(number)) for number in range(1, 4))]
    algorithm = RegularizedEvolution(3, 3)
    parents = {algorithm.propose(SPACE, history, np.random.default_rng(seed))[1] for seed in range(200)}
    assert parents == {1, 2, 3}  # with replacement: 1 wins where it is drawn three times
    wins = [algorithm.propose(SPACE, history, np.random.default_rng(seed))[1] for seed in range(2000)]
    # The best of three draws with replacement: 1 - (2/3)^3, (2/3)^3 - (1/3)^3, (1/3)^3.
    for number, share in ((3, 19 / 27), (2, 7 / 27), (1, 1 / 27)):
        assert wins.count(number) / 2000 == pytest.approx(share, abs=0.035)


def test_random_search_does_not_look_back():
    history = [candidate(number) for number in range(5)]
    first = RandomSearch().propose(SPACE, history, np.random.default_rng(3))
    assert first == RandomSearch().propose(SPACE, [], np.random.default_rng(3))
    assert first == (sample_genes(SPACE, np.random.default_rng(3)), None)


@pytest.mark.parametrize(
    ('sizes', 'message'),
    [
        ((0, 1), 'algorithm.population_size: 0 found, a whole number from 1 expected'),
        ((8, 0), 'algorithm.sample_size: 0 found, 1 to population_size=8 expected'),
        ((8, 9), 'algorithm.sample_size: 9 found, 1 to population_size=8 expected'),
    ],
)
def test_sizes_out_of_range(sizes, message):
    with pytest.raises(ConfigError) as error:
        RegularizedEvolution(*sizes)
    assert str(error.value) == message
