"""The loop of a search: draw, write the configs, train the proxy, note the score."""

import time
from collections.abc import Callable
from pathlib import Path

from mmssl.apis.config import ConfigError
from mmssl.apis.model_complexity import PartComplexity
from mmssl.search.budget import count_cost
from mmssl.search.candidate import LOG, Candidate, read_candidates, write_rows
from mmssl.search.candidate_config import apply_overrides, genes_overrides, write_candidate
from mmssl.search.candidate_drawing import Draw, draw_candidate
from mmssl.search.candidate_training import TrainingFailedError, last_value
from mmssl.search.progress import time_left
from mmssl.search.settings import SearchSettings
from mmssl.search.space import Genes, describe_genes

FIRST_FAILURES = 3
"""So many failures and nothing before them are not the candidates' fault."""


def run_search(
    settings: SearchSettings,
    work_dir: Path,
    train: Callable[[Path, Path], None],
    report: Callable[[str], None] = print,
) -> list[Candidate]:
    """Train the proxy of every candidate that is not in the log yet.

    ``candidates.jsonl`` in the work dir has a line for each candidate that has ended, written when it ends. A search
    that goes on draws the same candidate again that it was interrupted in.

    Args:
        settings: of the search.
        work_dir: gets ``candidates.jsonl`` and ``candidates/NNN/`` with configs and trainings.
        train: called with a config and its work dir; raises TrainingFailedError where a training does not end well.
        report: receives lines about what happens.

    Returns:
        All candidates, those that failed among them.

    Raises:
        ConfigError: the budget cannot be met, the recipes do not fit, the proxy's metric does not exist, or the first
            ``FIRST_FAILURES`` candidates failed.
        DataError: a damaged log.
    """
    path = work_dir / LOG
    history = read_candidates(path)
    if history:
        report(f'{len(history)} candidates ended before, {sum(not one.finished for one in history)} of them failed')
    while len(history) < settings.num_candidates:
        if len(history) == FIRST_FAILURES and not any(one.finished for one in history):
            raise ConfigError(
                f'the first {FIRST_FAILURES} candidates failed, the last one by {history[-1].reason!r}; expected '
                'recipes that train, and then a new folder'
            )
        draw = draw_candidate(
            settings.algorithm,
            settings.space,
            history,
            settings.seed,
            settings.budget,
            lambda genes: measure_genes(settings, genes),
        )
        candidate = _try_candidate(settings, work_dir, len(history), draw, train, report)
        history.append(candidate)
        write_rows(path, history)
        outcome = (
            f'{settings.proxy.metric} {candidate.score:.5g}' if candidate.finished else f'FAILED: {candidate.reason}'
        )
        left = time_left([one.seconds for one in history], settings.num_candidates)
        report(f'candidate {candidate.number}: {outcome}, {candidate.seconds:.0f} s; {left}')
    return history


def measure_genes(settings: SearchSettings, genes: Genes) -> PartComplexity:
    """Count the segmentation network of genes at the budget's shape."""
    recipe = settings.segmentation.config
    cfg = apply_overrides(recipe, genes_overrides(recipe, genes, recipe.filename))
    return count_cost(cfg, recipe.filename, settings.budget.shape)


def _try_candidate(
    settings: SearchSettings,
    work_dir: Path,
    number: int,
    draw: Draw,
    train: Callable[[Path, Path], None],
    report: Callable[[str], None],
) -> Candidate:
    height, width = settings.budget.shape
    cost = f'{draw.cost.parameters:,} parameters and {draw.cost.flops / 1e9:.3f} GFLOPs at {height}x{width}'
    folder = work_dir / 'candidates' / f'{number:03d}'
    config, _ = write_candidate(folder, number, draw.genes, cost, settings.proxy.config, settings.segmentation.config)
    parent = '' if draw.parent is None else f', a mutation of candidate {draw.parent}'
    report(f'candidate {number} of {settings.num_candidates}: {describe_genes(draw.genes)}{parent}; {cost}')
    start, score, reason = time.monotonic(), None, None
    try:
        train(config, folder / 'proxy')
        score = last_value(folder / 'proxy', settings.proxy.metric)
    except TrainingFailedError as error:
        reason = str(error)
    return Candidate(
        number=number,
        genes=draw.genes,
        parent=draw.parent,
        parameters=draw.cost.parameters,
        flops=draw.cost.flops,
        over_budget=draw.over_budget,
        repeated=draw.repeated,
        state='failed' if score is None else 'finished',
        score=score,
        fitness=None if score is None else settings.proxy.fitness(score),
        reason=reason,
        seconds=round(time.monotonic() - start, 1),
        config=str(config.relative_to(work_dir)),
    )
