"""The search space: what is accepted, how it is drawn from, what a mutation changes."""

import numpy as np
import pytest

from mmssl.apis.config import ConfigError
from mmssl.search.space import (
    GENES,
    check_space,
    describe_genes,
    genes_key,
    mutate_genes,
    sample_genes,
    space_size,
)

OPTIONS = {
    'depth': (1, 3, 5),
    'widths': ((8, 24, 48), (16, 64, 128)),
    'dilations': ((1, 2), (2, 4, 8, 16)),
    'norm_cfg': ({'type': 'BN', 'eps': 1e-3}, {'type': 'mmssl.SwitchNorm2d'}, {'type': 'GN', 'num_groups': 8}),
}


def test_a_space_has_plain_values_and_a_size():
    space = check_space(OPTIONS)
    assert space['widths'] == [[8, 24, 48], [16, 64, 128]]
    assert space_size(space) == 3 * 2 * 2 * 3


@pytest.mark.parametrize(
    ('gene', 'options', 'message'),
    [
        ('width', ((8, 24, 48),), "space: unknown gene 'width', expected depth, widths, dilations, norm_cfg"),
        ('depth', (), 'space.depth: () found, a list of options expected'),
        ('depth', 3, 'space.depth: 3 found, a list of options expected'),
        ('depth', (-1,), 'space.depth: -1 found, a whole number from 0 expected'),
        ('depth', (True,), 'space.depth: True found, a whole number from 0 expected'),
        ('depth', (3, 5, 3), 'space.depth: 3 found twice, each option once expected'),
        ('widths', ((16, 64),), 'space.widths: [16, 64] found, three rising whole numbers from 4 expected'),
        ('widths', ((16, 16, 64),), 'space.widths: [16, 16, 64] found, three rising whole numbers from 4 expected'),
        ('widths', ((3, 16, 64),), 'space.widths: [3, 16, 64] found, three rising whole numbers from 4 expected'),
        ('dilations', ((),), 'space.dilations: [] found, one or more whole numbers from 1 expected'),
        ('dilations', ((1, 0),), 'space.dilations: [1, 0] found, one or more whole numbers from 1 expected'),
        ('norm_cfg', ('BN',), "space.norm_cfg: 'BN' found, a dict with the key 'type' expected"),
    ],
)
def test_what_is_no_space_is_told_in_one_line(gene, options, message):
    with pytest.raises(ConfigError) as error:
        check_space({**OPTIONS, gene: options})
    assert str(error.value) == message


def test_a_missing_gene_and_norms_that_do_not_exist_or_fit():
    with pytest.raises(ConfigError, match='space.dilations: None found, a list of options expected'):
        check_space({name: OPTIONS[name] for name in GENES if name != 'dilations'})
    for norm, fault in (
        ({'type': 'mmssl.NoSuchNorm'}, 'NoSuchNorm'),
        ({'type': 'GN', 'num_groups': 16}, 'with 8 channels: .*divisible'),
        ({'type': 'BN', 'epsilon': 1e-3}, "with 8 channels: .*unexpected keyword argument 'epsilon'"),
    ):
        with pytest.raises(ConfigError, match=fault) as error:
            check_space({**OPTIONS, 'norm_cfg': (norm,)})
        assert '\n' not in str(error.value) and str(error.value).startswith('space.norm_cfg: ')


def test_samples_are_uniform_and_seeded():
    space = check_space(OPTIONS)
    drawn = [sample_genes(space, np.random.default_rng(7)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    generator = np.random.default_rng(0)
    counts = {}
    for _ in range(3600):
        key = genes_key(sample_genes(space, generator))
        counts[key] = counts.get(key, 0) + 1
    # 36 architectures, 100 each: a binomial deviation of 9.9, of which 5 are allowed.
    assert len(counts) == 36 and all(abs(count - 100) < 50 for count in counts.values())


def test_a_mutation_changes_exactly_one_gene():
    space = check_space(OPTIONS)
    generator = np.random.default_rng(1)
    genes = {name: values[0] for name, values in space.items()}
    kept = genes_key(genes)
    changed = []
    for _ in range(2000):
        child = mutate_genes(space, genes, generator)
        (name,) = [name for name in GENES if child[name] != genes[name]]
        assert child[name] in space[name]
        changed.append((name, genes_key({name: child[name]})))
    assert genes_key(genes) == kept
    # A quarter for each gene, shared by its other options: 2 depths, 1 width, 1 pattern, 2 norms.
    names = [name for name, _ in changed]
    assert all(abs(names.count(name) - 500) < 100 for name in GENES)
    for pair in set(changed):
        assert abs(changed.count(pair) - (250 if pair[0] in ('depth', 'norm_cfg') else 500)) < 100
    assert len(set(changed)) == 6


def test_a_gene_without_a_choice_is_never_mutated():
    space = check_space({**OPTIONS, 'depth': (5,), 'widths': ((16, 64, 128),), 'norm_cfg': ({'type': 'BN'},)})
    genes = {name: values[0] for name, values in space.items()}
    assert mutate_genes(space, genes, np.random.default_rng(0)) == {**genes, 'dilations': [2, 4, 8, 16]}
    single = {name: values[:1] for name, values in space.items()}
    with pytest.raises(ValueError, match='no gene has a second option'):
        mutate_genes(single, genes, np.random.default_rng(0))


def test_words_for_genes():
    genes = {'depth': 3, 'widths': [8, 24, 48], 'dilations': [1, 2], 'norm_cfg': {'type': 'mmssl.SwitchNorm2d'}}
    assert describe_genes(genes) == 'depth 3, widths 8-24-48, dilations 1-2, SwitchNorm2d'
