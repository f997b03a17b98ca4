"""From scores to masks: exactly the asked share of weights is pruned, those with the lowest scores."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mmssl.errors import DataError

SCOPES = ('layer', 'global')


def check_sparsity(sparsity: float, where: str = 'sparsity') -> float:
    """Check the share of pruned weights.

    Args:
        sparsity: what the user gave.
        where: the option or key, for the message.

    Returns:
        It as a float in [0, 1).

    Raises:
        ValueError: no number, or outside [0, 1).
    """
    number = isinstance(sparsity, (int, float)) and not isinstance(sparsity, bool)
    if not number or not 0 <= sparsity < 1:
        raise ValueError(f'{where}: {sparsity!r} found, a number from 0 to below 1 expected')
    return float(sparsity)


def check_scope(scope: str) -> str:
    """Return ``scope``; raises ValueError unless it is ``'layer'`` or ``'global'``."""
    if scope not in SCOPES:
        raise ValueError(f'scope: {scope!r} found, one of {", ".join(map(repr, SCOPES))} expected')
    return scope


def prune_masks(
    scores: Mapping[str, Tensor],
    sparsity: float,
    scope: str = 'layer',
    previous: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Prune the weights with the lowest scores.

    Source: Frankle and Carbin, The lottery ticket hypothesis (2018), section 1; S0, section 2.6.
    ``round(sparsity * n)`` of ``n`` weights are pruned (Python's round: halves to the even number), in each layer or
    in all layers together.

    Deviations from the code of Zhou et al. (2019), which rounds down and breaks ties at random: of equal scores those
    that stand first are pruned first, so that every process gets the same masks.

    Args:
        scores: weight name to scores of its shape, floating point, higher is kept.
        sparsity: share of pruned weights among all, those of ``previous`` included, in [0, 1).
        scope: ``'layer'`` or ``'global'``.
        previous: masks of an earlier round for the same names; what they pruned stays pruned, and its scores are not
            looked at.

    Returns:
        Weight name to bool mask of its shape, True where the weight is kept.

    Raises:
        ValueError: a sparsity outside [0, 1) or below that of ``previous``; an unknown scope; names or shapes of
            ``previous`` that differ.
        DataError: scores that are not numbers.
    """
    sparsity = check_sparsity(sparsity)
    check_scope(scope)
    alive = _alive(scores, previous)
    for name, score in scores.items():
        if torch.isnan(score[alive[name]]).any():
            raise DataError(f'{name}: a score that is not a number (nan) found; the weights are damaged')
    if scope == 'layer':
        return {
            name: _prune(score.flatten(), alive[name].flatten(), sparsity, name).view(score.shape)
            for name, score in scores.items()
        }
    if not scores:
        return {}
    joined = torch.cat([score.flatten() for score in scores.values()])
    kept = _prune(joined, torch.cat([alive[name].flatten() for name in scores]), sparsity, 'all layers')
    parts = kept.split([score.numel() for score in scores.values()])
    return {name: part.view(score.shape) for (name, score), part in zip(scores.items(), parts, strict=True)}


def _alive(scores: Mapping[str, Tensor], previous: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    if previous is None:
        return {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    if set(previous) != set(scores):
        alien = sorted(set(previous) ^ set(scores))
        raise ValueError(f'previous masks: names differ from those of the weights, {len(alien)} in all: {alien[0]}')
    for name, score in scores.items():
        if previous[name].shape != score.shape:
            shapes = f'{tuple(previous[name].shape)} found, {tuple(score.shape)} expected'
            raise ValueError(f'previous masks: {name} has another shape, {shapes}')
    return {name: previous[name].to(score.device) for name, score in scores.items()}


def _prune(score: Tensor, alive: Tensor, sparsity: float, where: str) -> Tensor:
    """Prune one flat tensor to the sparsity; ``alive`` is left as it is."""
    total, pruned = alive.numel(), alive.numel() - int(alive.sum())
    target = round(sparsity * total)
    if target < pruned:
        raise ValueError(f'sparsity: {sparsity:g} found, but {pruned} of {total} weights ({where}) are pruned already')
    positions = alive.nonzero().squeeze(1)
    lowest = torch.argsort(score[positions], stable=True)[: target - pruned]
    kept = alive.clone()
    kept[positions[lowest]] = False
    return kept
