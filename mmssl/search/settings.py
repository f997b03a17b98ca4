"""What a search is: the config of tools/architecture_search.py, read and checked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmssl.apis.config import ConfigError, load_config
from mmssl.atomic_file import atomic_file
from mmssl.errors import DataError, DataNotFoundError, one_line
from mmssl.search.budget import Budget
from mmssl.search.candidate_drawing import Algorithm
from mmssl.search.random_search import RandomSearch
from mmssl.search.regularized_evolution import RegularizedEvolution
from mmssl.search.space import Space, check_space, space_size

STATE = 'search.json'
ALGORITHMS = {'random': RandomSearch, 'regularized_evolution': RegularizedEvolution}
KEYS = ('proxy', 'segmentation', 'space', 'budget', 'algorithm', 'num_candidates', 'seed')
OPTIONAL_KEYS = ('custom_imports',)  # mmengine's, done when the config was read: norms of other packages


@dataclass(frozen=True)
class Recipe:
    """A training and the number that counts.

    Attributes:
        config: the whole config; ``filename`` is its path.
        metric: key of its validations.
        higher_is_better: of the metric.
    """

    config: Config
    metric: str
    higher_is_better: bool

    def fitness(self, value: float) -> float:
        """The value, its sign turned where lower is better: a better network has more of it."""
        return value if self.higher_is_better else -value


@dataclass(frozen=True)
class SearchSettings:
    """A search.

    Attributes:
        proxy: trained without labels; its metric ranks the candidates.
        segmentation: what a candidate is for; its network has the budget, its metric is compared with the proxy's.
        space: options of each gene.
        budget: of the segmentation network.
        algorithm: proposes candidates.
        num_candidates: trained in all, from 1.
        seed: of the draws; trainings have the seed of their recipe.
        described: the config in plain values, to be compared with that of a search that goes on.
    """

    proxy: Recipe
    segmentation: Recipe
    space: Space
    budget: Budget
    algorithm: Algorithm
    num_candidates: int
    seed: int
    described: dict


def read_settings(cfg: Config, gpus: int | None = None, amp: bool = False) -> SearchSettings:
    """Read the config of a search.

    Args:
        cfg: with the keys ``proxy`` and ``segmentation`` (``recipe``, a path; ``metric``; ``higher_is_better``),
            ``space`` (:func:`mmssl.search.space.check_space`), ``budget`` (:class:`mmssl.search.budget.Budget`),
            ``algorithm`` (``type``, a key of ``ALGORITHMS``, and its arguments), ``num_candidates`` and ``seed``.
        gpus: processes of each training, None for one without a launcher.
        amp: mixed precision.

    Returns:
        The settings.

    Raises:
        ConfigError: a key that is missing or unknown, or a value out of its range.
        FileNotFoundError: a recipe that does not exist.
    """
    plain = json.loads(json.dumps(cfg.to_dict()))
    _check_keys(plain, KEYS, 'the config of a search', OPTIONAL_KEYS)
    space = check_space(plain['space'])
    count, seed = plain['num_candidates'], plain['seed']
    if not isinstance(count, int) or not 1 <= count <= space_size(space):
        raise ConfigError(f'num_candidates: {count!r} found, 1 to {space_size(space)} (the space) expected')
    if not isinstance(seed, int) or seed < 0:
        raise ConfigError(f'seed: {seed!r} found, a whole number from 0 expected')
    recipes = {key: _read_recipe(plain[key], key) for key in ('proxy', 'segmentation')}
    described = {key: plain[key] for key in KEYS if key != 'num_candidates'} | {'gpus': gpus, 'amp': amp}
    for key, recipe in recipes.items():
        # What the recipe says, wherever its file is.
        described[key] = {**{k: v for k, v in plain[key].items() if k != 'recipe'}, 'recipe': _digest(recipe.config)}
    return SearchSettings(
        **recipes,
        space=space,
        budget=_build(Budget, plain['budget'], 'budget'),
        algorithm=_read_algorithm(plain['algorithm'], count),
        num_candidates=count,
        seed=seed,
        described=described,
    )


def store_settings(work_dir: Path, settings: SearchSettings, resume: bool) -> None:
    """Write ``search.json`` in a new work dir, or check that a search that goes on is the same.

    ``num_candidates`` may differ: no candidate depends on it.

    Raises:
        ConfigError: the folder holds a search and ``resume`` is not asked for, or one with other settings.
        DataNotFoundError: ``resume`` is asked for and there is no search.
        DataError: ``search.json`` is damaged.
    """
    path = work_dir / STATE
    if not path.is_file():
        if resume:
            raise DataNotFoundError(f'--resume: {path} does not exist, the work dir of a search expected')
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(settings.described, indent=2) + '\n')
        return
    if not resume:
        raise ConfigError(f'{work_dir}: holds a search already, --resume goes on with it; expected another folder')
    stored = read_described(work_dir)
    changed = [key for key in settings.described if stored.get(key) != settings.described[key]]
    if changed:
        raise ConfigError(f'{path}: the search was started with another {changed[0]!r}; expected a new folder')


def read_described(work_dir: Path) -> dict:
    """The settings of a search in plain values.

    Raises:
        DataNotFoundError: no search in the folder.
        DataError: the file is damaged.
    """
    path = work_dir / STATE
    if not path.is_file():
        raise DataNotFoundError(f'{path}: does not exist, the work dir of tools/architecture_search.py expected')
    try:
        described = json.loads(path.read_text())
        described['segmentation']['metric'], described['proxy']['metric']
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path}: damaged, {type(error).__name__}: {error}') from None
    return described


def _read_recipe(options: Mapping, key: str) -> Recipe:
    _check_keys(options, ('recipe', 'metric', 'higher_is_better'), key)
    if not isinstance(options['metric'], str) or not isinstance(options['higher_is_better'], bool):
        raise ConfigError(
            f'{key}: metric={options["metric"]!r}, higher_is_better={options["higher_is_better"]!r} found, '
            'a name and a bool expected'
        )
    config = load_config(options['recipe'])
    return Recipe(config, options['metric'], options['higher_is_better'])


def _read_algorithm(options: Mapping, num_candidates: int) -> Algorithm:
    kind = options.get('type') if isinstance(options, Mapping) else None
    if kind not in ALGORITHMS:
        raise ConfigError(f'algorithm.type: {kind!r} found, one of {", ".join(ALGORITHMS)} expected')
    algorithm = _build(ALGORITHMS[kind], {key: value for key, value in options.items() if key != 'type'}, 'algorithm')
    if getattr(algorithm, 'population_size', 0) >= num_candidates:
        raise ConfigError(
            f'algorithm.population_size: {algorithm.population_size} found, below num_candidates={num_candidates} '
            'expected, for before the population is full nothing evolves'
        )
    return algorithm


def _check_keys(options: Mapping, keys: tuple[str, ...], source: str, optional: tuple[str, ...] = ()) -> None:
    if not isinstance(options, Mapping):
        raise ConfigError(f'{source}: {options!r} found, a dict expected')
    missing = [key for key in keys if key not in options]
    unknown = [key for key in options if key not in keys + optional]
    if missing or unknown:
        fault = f'no {missing[0]!r}' if missing else f'unknown {unknown[0]!r}'
        raise ConfigError(f'{source}: {fault}, expected {", ".join(keys)}')


def _build(kind: type, options: Mapping, key: str):
    try:
        return kind(**options)
    except TypeError as error:
        raise ConfigError(f'{key}: {one_line(error).replace(f"{kind.__name__}.__init__()", kind.__name__)}') from None


def _digest(cfg: Config) -> str:
    text = json.dumps(cfg.to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
