"""Rounds of iterative pruning: train, prune what is small, go back to the early weights, train again."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from mmengine.config import Config

from mmssl.apis.config import ConfigError
from mmssl.apis.log_reading import read_run
from mmssl.apis.resuming import find_damage
from mmssl.atomic_file import atomic_file
from mmssl.checkpoint_pointer import read_pointer
from mmssl.engine.hooks.lottery_ticket_hook import REWIND_FILE
from mmssl.errors import DataError, DataNotFoundError
from mmssl.pruning.criteria import needs_initial
from mmssl.pruning.masks import check_scope, check_sparsity
from mmssl.pruning.schedule import round_sparsity
from mmssl.pruning.ticket import RewindPoint, Ticket, find_masks
from mmssl.tensor_file import read_state_dict, read_tensor_file

STATE_FILE = 'rounds.json'
HOOK = 'mmssl.LotteryTicketHook'
TIMES = ('time', 'data_time')  # what mmengine logs beside the metrics of an evaluation


@dataclass(frozen=True)
class RoundSettings:
    """What a series of rounds is; a series that continues must have the same.

    Attributes:
        rounds: sparse trainings after the dense one, at least 1.
        sparsity: share of pruned weights in the last round, in [0, 1).
        scope: ``'layer'`` or ``'global'``.
        criterion: a key of ``mmssl.pruning.CRITERIA``; it compares with the rewind weights, where it compares.
        modules: shell patterns of modules whose weights may be pruned.
        rewind_iter: iteration of the dense training that weights go back to.
        gpus: processes, None for one without a launcher.
        amp: mixed precision.
    """

    rounds: int
    sparsity: float
    scope: str = 'layer'
    criterion: str = 'large_final'
    modules: tuple[str, ...] = ('backbone',)
    rewind_iter: int = 0
    gpus: int | None = None
    amp: bool = False

    def check(self) -> None:
        """Raise ValueError, naming the option, for a value out of its range."""
        check_sparsity(self.sparsity, '--sparsity')
        check_scope(self.scope)
        needs_initial(self.criterion)
        for option, value, least in (('rounds', self.rounds, 1), ('rewind-iter', self.rewind_iter, 0)):
            if value < least:
                raise ValueError(f'--{option}: {value} found, a whole number from {least} expected')
        if self.gpus is not None and self.gpus < 1:
            raise ValueError(f'--gpus: {self.gpus} found, a whole number from 1 expected')


def run_rounds(
    cfg: Config,
    settings: RoundSettings,
    work_dir: str | Path,
    train: Callable[[Path, Path, bool], None],
    report: Callable[[str], None] = print,
) -> list[dict]:
    """Train every round that is not finished yet.

    Source: Frankle and Carbin, The lottery ticket hypothesis (2018), section 1, iterative pruning. Round 0 is dense and
    stores the rewind weights; each later round prunes among the survivors of the one before, by the weights at its end
    (those of its last checkpoint: the averaged ones under EMAHook), and starts from the rewind weights with a new
    optimiser and new schedules.

    Args:
        cfg: a training config without a ``LotteryTicketHook``.
        settings: of the series.
        work_dir: gets ``round_0``, ``round_1``, ... and ``rounds.json``, which says what is finished.
        train: called with config, work dir and whether to resume; raises when the training does not end well.
        report: receives a line for each step.

    Returns:
        A row for each round: ``round``, ``sparsity`` (measured, over the weights that may be pruned), ``prunable``,
        ``parameters``, ``nonzero`` and ``metrics`` of the last evaluation.

    Raises:
        ValueError: options out of range; a config that does not fit; a series with other settings in ``work_dir``.
        DataError: files of an earlier round that are missing or damaged.
    """
    settings.check()
    _check_config(cfg)
    work_dir = Path(work_dir)
    state = _load_state(work_dir / STATE_FILE, {**asdict(settings), 'config': _fingerprint(cfg)})
    for index in range(settings.rounds + 1):
        if index < len(state['finished']):
            report(f'round {index}: finished before')
            continue
        folder = work_dir / f'round_{index}'
        sparsity = round_sparsity(settings.sparsity, index, settings.rounds)
        hook = {'type': HOOK, 'rewind_iter': settings.rewind_iter, 'modules': list(settings.modules)}
        if index:
            # The same masks come out when an unfinished round continues.
            make_ticket(work_dir, index, sparsity, settings).save(folder / 'ticket.pth')
            hook = {'type': HOOK, 'ticket': str(folder / 'ticket.pth')}
        config = _write_config(cfg, hook, folder / 'config.py')
        resume = (folder / 'last_checkpoint').is_file()
        report(f'round {index}: {"resumed" if resume else "started"}, sparsity {sparsity:.4f}, {folder}')
        train(config, folder, resume)
        state['finished'].append(_measure(work_dir, index))
        _save_state(work_dir / STATE_FILE, state)
    return state['finished']


def make_ticket(work_dir: Path, index: int, sparsity: float, settings: RoundSettings) -> Ticket:
    """Prune what the round before trained.

    Args:
        work_dir: of the series.
        index: of the round that gets the ticket, from 1.
        sparsity: share of pruned weights after it.
        settings: of the series.

    Returns:
        The ticket with the rewind weights of round 0.
    """
    rewind, meta = _read_rewind(work_dir)
    before = work_dir / f'round_{index - 1}'
    trained = _final_weights(before)
    previous = Ticket.load(before / 'ticket.pth').masks if index > 1 else None
    masks = find_masks(
        {name: trained[name] for name in meta['prunable']},
        sparsity,
        criterion=settings.criterion,
        scope=settings.scope,
        initial=rewind.state_dict,
        previous=previous,
    )
    options = {'sparsity': sparsity, 'scope': settings.scope, 'criterion': settings.criterion, 'round': index}
    return Ticket(masks, rewind, options)


def _check_config(cfg: Config) -> None:
    hooks = [hook for hook in cfg.get('custom_hooks') or [] if str(hook.get('type')).endswith('LotteryTicketHook')]
    if hooks:
        raise ConfigError('custom_hooks: a LotteryTicketHook found, but the rounds put in their own')
    if 'default_hooks' in cfg and (cfg.default_hooks or {}).get('checkpoint', {}) is None:
        raise ConfigError('default_hooks.checkpoint: None found, but the rounds prune the last checkpoint')


def _write_config(cfg: Config, hook: dict, path: Path) -> Path:
    """The config of a round: with the hook, and with a checkpoint at the end, whatever its interval."""
    cfg = Config(cfg.to_dict())
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), hook]
    hooks = cfg.get('default_hooks') or {}
    cfg.default_hooks = {
        **hooks,
        'checkpoint': {'type': 'mmssl.AtomicCheckpointHook', **hooks.get('checkpoint', {}), 'save_last': True},
    }
    if 'ticket' in hook:
        cfg.load_from = None  # the ticket holds all weights
    cfg.resume = False
    path.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(path)
    return path


def _read_rewind(work_dir: Path) -> tuple[RewindPoint, dict]:
    """The rewind point that round 0 left, and the names of weights beside it."""
    path = work_dir / 'round_0' / REWIND_FILE
    content = read_tensor_file(path, 'rewind weights')
    try:
        meta = {key: content['meta'][key] for key in ('rewind_iter', 'prunable', 'parameters')}
        return RewindPoint(meta['rewind_iter'], content['state_dict']), meta
    except (KeyError, TypeError) as error:
        raise DataError(f'rewind weights {path}: {error} is missing, a file of LotteryTicketHook expected') from None


def _final_weights(folder: Path) -> dict:
    path = read_pointer(folder)
    if path is None:
        raise DataNotFoundError(f'{folder}: no checkpoint, expected that of a finished round')
    damage = find_damage(path)
    if damage:
        raise DataError(f'{path}: damaged, {damage}')
    return read_state_dict(path, 'checkpoint')


def _measure(work_dir: Path, index: int) -> dict:
    """Count what is left in the last checkpoint of a round."""
    folder = work_dir / f'round_{index}'
    meta, weights = _read_rewind(work_dir)[1], _final_weights(folder)
    size = {name: weights[name].numel() for name in meta['parameters']}
    nonzero = {name: int(weights[name].count_nonzero()) for name in meta['parameters']}
    prunable = sum(size[name] for name in meta['prunable'])
    return {
        'round': index,
        'sparsity': 1 - sum(nonzero[name] for name in meta['prunable']) / prunable,
        'prunable': prunable,
        'parameters': sum(size.values()),
        'nonzero': sum(nonzero.values()),
        'metrics': _last_metrics(folder),
    }


def _last_metrics(folder: Path) -> dict[str, float]:
    """The last evaluation in the logs; empty without one."""
    try:
        curves = read_run(folder)
    except FileNotFoundError:
        return {}
    return {key: points[-1][1] for key, points in curves.val.items() if key not in TIMES}


def _fingerprint(cfg: Config) -> str:
    text = json.dumps(cfg.to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _load_state(path: Path, settings: dict) -> dict:
    settings = json.loads(json.dumps(settings))  # tuples become lists, as in the file
    if not path.is_file():
        state = {'settings': settings, 'finished': []}
        _save_state(path, state)
        return state
    try:
        state = json.loads(path.read_text())
        stored, _ = state['settings'], [row['round'] for row in state['finished']]
        changed = [key for key in settings if stored[key] != settings[key]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f'{path}: damaged, {type(error).__name__}: {error}') from None
    if changed:
        key = changed[0]
        detail = '' if key == 'config' else f' ({stored[key]!r}, now {settings[key]!r})'
        raise ConfigError(
            f'{path}: the rounds in this folder were started with another {key}{detail}; take a new folder'
        )
    return state


def _save_state(path: Path, state: dict) -> None:
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(state, indent=2) + '\n')
