"""The cost of candidates as get_flops.py counts it, and draws that keep to the budget."""

import itertools

import pytest
from search_cases import ROOT, candidate

from mmssl.apis.config import ConfigError, load_config
from mmssl.apis.model_complexity import PartComplexity
from mmssl.apis.segmentor_workload import build_segmentor
from mmssl.search.budget import Budget, count_cost
from mmssl.search.candidate_config import apply_overrides, genes_overrides
from mmssl.search.candidate_drawing import draw_candidate
from mmssl.search.space import GENES, genes_key

RECIPE = str(ROOT / 'configs/classmix/supervised_erfnet_1xb4-700i_streets-1of25-64x96.py')
ERFNET = {
    'depth': 5,
    'widths': [16, 64, 128],
    'dilations': [2, 4, 8, 16, 2, 4, 8, 16],
    'norm_cfg': {'type': 'BN', 'eps': 1e-3},
}


def with_genes(**changes):
    cfg = load_config(RECIPE)
    return apply_overrides(cfg, genes_overrides(cfg, {**ERFNET, **changes}, RECIPE))


def test_default_genes_are_erfnet():
    """1,874,044 parameters in the encoder, and for six classes 2,063,346 in all; 52.99 GFLOPs at 512x1024."""
    cfg = with_genes()
    parts = build_segmentor(cfg, RECIPE)
    assert sum(parameter.numel() for parameter in parts.backbone.parameters()) == 1874044
    assert count_cost(cfg, RECIPE, (512, 1024)) == PartComplexity(2063346, 2063346, 52990574592)
    assert count_cost(load_config(RECIPE), RECIPE, (64, 96)).flops == 620983296


def test_counts_are_those_of_get_flops(tmp_path, capsys):
    """Of a narrower network with another norm, by the tool itself, which computes on a CPU."""
    import importlib.util

    spec = importlib.util.spec_from_file_location('tool_get_flops', ROOT / 'tools/analysis_tools/get_flops.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    cfg = with_genes(widths=[8, 24, 48], dilations=[1, 2], norm_cfg={'type': 'mmssl.SwitchNorm2d'})
    cfg.dump(tmp_path / 'network.py')
    parts = tool.main([str(tmp_path / 'network.py'), '--shape', '64', '96'])
    assert count_cost(cfg, RECIPE, (64, 96)) == parts['total']
    # By hand: a block of c channels has 4 convolutions of 3 c^2 + c and two norms of 2 c + 6 (SwitchNorm2d).
    blocks = {24: 5, 48: 2}
    encoder = sum(count * (12 * c * c + 4 * c + 2 * (2 * c + 6)) for c, count in blocks.items())
    encoder += sum(9 * a * (b - a) + b - a + 2 * b + 6 for a, b in ((3, 8), (8, 24), (24, 48)))
    assert parts['backbone'].parameters == encoder
    assert 'backbone' in capsys.readouterr().out


def test_limits_are_met_at_equality():
    budget = Budget(shape=(64, 96), parameters=1000, flops=2e6)
    assert budget.allows(PartComplexity(1000, 1000, 2_000_000))
    assert not budget.allows(PartComplexity(1001, 1001, 1))
    assert not budget.allows(PartComplexity(1, 1, 2_000_001))
    assert Budget(shape=(64, 96)).allows(PartComplexity(10**12, 1, 10**18))
    assert str(Budget(shape=(64, 96), parameters=1_300_000, flops=0.42e9)) == '1,300,000 parameters and 0.42 GFLOPs'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'shape': (64,)}, 'budget.shape: (64,) found, height and width in whole pixels expected'),
        ({'shape': (64, 0)}, 'budget.shape: (64, 0) found, height and width in whole pixels expected'),
        ({'parameters': 0}, 'budget.parameters: 0 found, a finite number above 0 or None expected'),
        ({'flops': float('nan')}, 'budget.flops: nan found, a finite number above 0 or None expected'),
        ({'max_draws': 0}, 'budget.max_draws: 0 found, a whole number from 1 expected'),
    ],
)
def test_limits_out_of_range(options, message):
    with pytest.raises(ConfigError) as error:
        Budget(**{'shape': (64, 96), **options})
    assert str(error.value) == message


class InTurn:
    """Proposes depths 0, 1, 2, ... and over again."""

    def __init__(self, count):
        self.depths = itertools.cycle(range(count))

    def propose(self, space, history, generator):
        return {**ERFNET, 'depth': next(self.depths)}, 7


def cost_of(genes):
    return PartComplexity(100 - genes['depth'], 0, 10)


def test_draws_beyond_the_budget_and_repeated_ones_are_counted():
    history = [candidate(0, None, genes={**ERFNET, 'depth': 2})]  # it failed, and is not tried again
    draw = draw_candidate(InTurn(5), {}, history, 0, Budget((64, 96), parameters=98), cost_of)
    assert (draw.genes['depth'], draw.parent, draw.over_budget, draw.repeated) == (3, 7, 2, 1)
    assert draw.cost.parameters == 97


def test_a_budget_that_cannot_be_met_ends_with_one_line():
    calls = []

    def measure(genes):
        calls.append(genes_key({name: genes[name] for name in GENES}))
        return cost_of(genes)

    budget = Budget((64, 96), parameters=50, flops=1e9, max_draws=12)
    with pytest.raises(ConfigError) as error:
        draw_candidate(InTurn(3), {}, [], 0, budget, measure)
    assert str(error.value) == (
        'candidate 0: 12 draws, 12 beyond the budget of 50 parameters and 1 GFLOPs and 0 repeated; the smallest has 98 '
        'and 1e-08 GFLOPs; expected a wider budget, a larger space or fewer candidates'
    )
    assert len(calls) == len(set(calls)) == 3  # each network is built once
