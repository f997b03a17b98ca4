"""Mean and spread over the seeds of each recipe, from the last validation of every run."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmssl.apis.config import load_config
from mmssl.apis.log_reading import read_run


@dataclass(frozen=True)
class SeedRun:
    """One training.

    Attributes:
        recipe: name of its config file, without suffix.
        seed: ``randomness.seed`` of the config.
        step: iteration of the last validation.
        values: key to value of that validation; a key that it does not have (``teacher/mIoU`` of a recipe without
            teacher) is missing.
        seconds: of training, validations left out: time an iteration, as logged, times iterations.
    """

    recipe: str
    seed: int
    step: int
    values: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class RecipeSummary:
    """The runs of one recipe.

    Attributes:
        recipe: name of its config file.
        seeds: of its runs, rising.
        step: iteration of the last validation of all of them.
        values: key to the values of the seeds, in their order.
        seconds: mean over the runs.
    """

    recipe: str
    seeds: tuple[int, ...]
    step: int
    values: dict[str, tuple[float, ...]]
    seconds: float

    def mean(self, key: str) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.values[key])

    def deviation(self, key: str) -> float | None:
        """Sample standard deviation over the seeds (divisor S - 1), None for one seed."""
        return statistics.stdev(self.values[key]) if len(self.seeds) > 1 else None

    def gains(self, baseline: 'RecipeSummary', key: str) -> dict[int, float]:
        """Difference to another recipe, for each seed that both have."""
        theirs = dict(zip(baseline.seeds, baseline.values[key], strict=True))
        own = zip(self.seeds, self.values[key], strict=True)
        return {seed: value - theirs[seed] for seed, value in own if seed in theirs}


def read_seed_run(work_dir: str | Path, keys: Sequence[str]) -> SeedRun:
    """Reads the last validation of a run.

    Args:
        work_dir: of the Runner: the config that it left there, and ``<time>/vis_data/scalars.json``.
        keys: of the validation.

    Returns:
        The run.

    Raises:
        FileNotFoundError: no config or no log.
        ValueError: several configs, a config without a seed, no validation, or one with none of the keys.
    """
    configs = sorted(Path(work_dir).glob('*.py'))
    if not configs:
        raise FileNotFoundError(f'{work_dir}: no config (*.py), expected the work dir of a training')
    if len(configs) > 1:
        raise ValueError(f'{work_dir}: {len(configs)} configs found, expected the work dir of one training')
    curves = read_run(work_dir)
    found = {key: curves.val[key] for key in keys if key in curves.val}
    if not found:
        has = ', '.join(curves.val) or 'no validation'
        raise ValueError(f'{work_dir}: none of {", ".join(keys)} in the validations, which have: {has}')
    seed = load_config(str(configs[0])).get('randomness', {}).get('seed')
    if seed is None:
        raise ValueError(f'{configs[0]}: no randomness.seed, expected the seed of the run')
    times = curves.train.get('time', [])
    steps = [0, *(step for step, _ in times)]
    return SeedRun(
        recipe=configs[0].stem,
        seed=seed,
        step=max(points[-1][0] for points in found.values()),
        values={key: points[-1][1] for key, points in found.items()},
        seconds=sum(time * (step - before) for before, (step, time) in zip(steps, times, strict=False)),
    )


def group_seeds(runs: Sequence[SeedRun]) -> list[RecipeSummary]:
    """Puts the runs of each recipe together, recipes in the order of their first run.

    Raises:
        ValueError: a seed twice, or runs of one recipe that end at different iterations: one is not finished.
    """
    recipes: dict[str, list[SeedRun]] = {}
    for run in runs:
        recipes.setdefault(run.recipe, []).append(run)
    summaries = []
    for recipe, group in recipes.items():
        group.sort(key=lambda run: run.seed)
        seeds = tuple(run.seed for run in group)
        steps = sorted({run.step for run in group})
        if len(set(seeds)) < len(seeds):
            raise ValueError(f'{recipe}: seeds {seeds} found, each once expected')
        if len(steps) > 1:
            raise ValueError(f'{recipe}: last validations at iterations {steps}, the same of all seeds expected')
        keys = [key for key in group[0].values if all(key in run.values for run in group)]
        summaries.append(
            RecipeSummary(
                recipe=recipe,
                seeds=seeds,
                step=steps[0],
                values={key: tuple(run.values[key] for run in group) for key in keys},
                seconds=statistics.fmean(run.seconds for run in group),
            )
        )
    return summaries
