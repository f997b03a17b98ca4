"""Searches without trainings, shared by the tests of the loop and of the tools."""

import json
from pathlib import Path

from mmssl.apis.model_complexity import PartComplexity
from mmssl.search.candidate import Candidate
from mmssl.search.candidate_training import TrainingFailedError

ROOT = Path(__file__).resolve().parents[2]
SEARCHES = ROOT / 'configs/architecture_search/searches'


def candidate(number: int, fitness: float | None = 1.0, **changes) -> Candidate:
    """A candidate that finished, or failed where there is no fitness."""
    values = {
        'number': number,
        'genes': {'depth': number, 'widths': [8, 16, 32], 'dilations': [1], 'norm_cfg': {'type': 'BN'}},
        'parent': None,
        'parameters': 1000 * (number + 1),
        'flops': 10**9 * (number + 1),
        'over_budget': 0,
        'repeated': 0,
        'state': 'failed' if fitness is None else 'finished',
        'score': fitness,
        'fitness': fitness,
        'reason': 'status 1: error: no memory' if fitness is None else None,
        'seconds': 60.0,
        'config': f'candidates/{number:03d}/proxy_{number:03d}.py',
    }
    return Candidate(**{**values, **changes})


def genes_of(config: Path) -> dict:
    """The encoder's arguments in a written config, whose recipe is not read."""
    names = {}
    exec(config.read_text().split('custom_hooks')[0], names)
    return names['model']['backbone']


def write_validation(work_dir: Path, values: dict) -> None:
    """A log with one validation, as mmengine's LoggerHook leaves it."""
    log = work_dir / '20200101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(json.dumps({'loss': 1.0, 'iter': 10, 'step': 10}) + '\n' + json.dumps({**values, 'step': 10}) + '\n')


def proxy_score(genes: dict) -> float:
    """A score that tells architectures apart: dilations help, width helps less and less."""
    return round(10 + sum(genes['dilations']) / 7 + genes['widths'][2] ** 0.5 - genes['depth'] / 9, 4)


class FakeTrainer:
    """Writes the validation of a training at once.

    Args:
        metric: that it writes.
        fail: numbers of trainings, counted from 0 over its life, that fail.
        stop_at: number of the training that is interrupted, None for none.
    """

    def __init__(self, metric='PSNR', fail=(), stop_at=None):
        self.metric, self.fail, self.stop_at = metric, fail, stop_at
        self.configs = []

    def __call__(self, config: Path, work_dir: Path) -> None:
        number = len(self.configs)
        if number == self.stop_at:
            raise KeyboardInterrupt
        self.configs.append(config)
        if number in self.fail:
            raise TrainingFailedError('status 1: error: no memory')
        write_validation(work_dir, {self.metric: proxy_score(genes_of(config)), 'time': 0.1})


def cheap_measure(settings, genes: dict) -> PartComplexity:
    """Numbers in the place of a built network's, rising with widths and blocks."""
    parameters = genes['widths'][2] ** 2 * 12 * len(genes['dilations']) + genes['widths'][1] ** 2 * 12 * genes['depth']
    return PartComplexity(parameters, parameters, 400 * parameters)
