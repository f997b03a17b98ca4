"""Scores by which weights are kept or pruned, from their values before and after training."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mmssl.errors import DataError

from .masks import check_scope


def large_final(final: Tensor, initial: Tensor | None = None) -> Tensor:
    r"""Score by final magnitude: :math:`|w_f|` (Frankle and Carbin 2018)."""
    return final.abs()


def magnitude_increase(final: Tensor, initial: Tensor) -> Tensor:
    r"""Score by growth: :math:`|w_f| - |w_i|`; what started large and became small goes first."""
    return final.abs() - initial.abs()


def large_init_large_final(final: Tensor, initial: Tensor) -> Tensor:
    r"""Score by the smaller of two magnitudes: :math:`\min(\alpha |w_f|, |w_i|)`.

    In the paper :math:`\alpha` aligns the percentiles of the two magnitudes at the threshold, so that a weight is kept
    when both are above one and the same percentile. With ranks in place of magnitudes that holds at every threshold,
    without a search for :math:`\alpha`: the score is the smaller share of weights that are not above this one.

    Returns:
        Scores in (0, 1]; equal magnitudes have equal ranks.
    """
    return torch.minimum(_percentile(final.abs()), _percentile(initial.abs()))


def large_final_same_sign(final: Tensor, initial: Tensor) -> Tensor:
    r"""Score by final magnitude if the sign was kept: :math:`\max(0, w_f w_i / |w_i|)`.

    The paper prunes flipped weights, all of score 0, in random order. Here that order is fixed by leaving out the max:
    a weight that went far to the other sign goes before one that hardly crossed zero.
    """
    return final * initial.sign()


CRITERIA: dict[str, Callable[[Tensor, Tensor | None], Tensor]] = {
    'large_final': large_final,
    'magnitude_increase': magnitude_increase,
    'large_init_large_final': large_init_large_final,
    'large_final_same_sign': large_final_same_sign,
}


def needs_initial(criterion: str) -> bool:
    """Tell whether a criterion compares with the weights before training.

    Raises:
        ValueError: an unknown criterion.
    """
    if criterion not in CRITERIA:
        raise ValueError(f'criterion: {criterion!r} found, one of {", ".join(map(repr, CRITERIA))} expected')
    return criterion != 'large_final'


def score_weights(
    final: Mapping[str, Tensor],
    criterion: str = 'large_final',
    *,
    initial: Mapping[str, Tensor] | None = None,
    scope: str = 'layer',
    previous: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Score the weights that are still there.

    Source: Zhou et al., Deconstructing lottery tickets (2019), section 2 and its table of mask criteria; S0, section
    2.6 and figure 2.3.

    Args:
        final: weight name to trained values.
        criterion: a key of ``CRITERIA``.
        initial: weight name to values before training, of the same shapes; other names may be there too.
        scope: ``'global'`` ranks the weights of all layers together, where a criterion ranks.
        previous: masks of an earlier round; what they pruned is left out of the ranks.

    Returns:
        Weight name to scores of its shape, float32 or wider; -inf where ``previous`` pruned.

    Raises:
        ValueError: an unknown criterion or scope; a criterion that needs initial weights without them.
        DataError: an initial weight is missing or has another shape.
    """
    check_scope(scope)
    if needs_initial(criterion):
        _check_initial(final, criterion, initial)
    score, compares = CRITERIA[criterion], needs_initial(criterion)
    alive = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in final.items()}
    if previous is not None:
        alive = {name: previous[name].to(weight.device) for name, weight in final.items()}
    after = {name: _wide(weight)[alive[name]] for name, weight in final.items()}
    before = {n: _wide(initial[n]).to(after[n].device)[alive[n]] for n in final} if compares else None
    if scope == 'layer':
        values = {name: score(after[name], before[name] if compares else None) for name in final}
    else:
        joined = score(_join(after), _join(before) if compares else None)
        parts = joined.split([part.numel() for part in after.values()])
        values = dict(zip(after, parts, strict=True))
    scores = {}
    for name, value in values.items():
        scores[name] = torch.full(final[name].shape, -torch.inf, dtype=value.dtype, device=value.device)
        scores[name][alive[name]] = value
    return scores


def _check_initial(final: Mapping[str, Tensor], criterion: str, initial: Mapping[str, Tensor] | None) -> None:
    if initial is None:
        raise ValueError(f'criterion: {criterion!r} compares with the weights before training, none were given')
    for name, weight in final.items():
        if name not in initial:
            raise DataError(f'criterion {criterion!r}: {name} is missing among the weights before training')
        if initial[name].shape != weight.shape:
            shapes = f'{tuple(initial[name].shape)} found, {tuple(weight.shape)} expected'
            raise DataError(f'criterion {criterion!r}: {name} before training has another shape, {shapes}')


def _wide(weight: Tensor) -> Tensor:
    """Half precision would tie weights that differ after a subtraction."""
    weight = weight.detach()
    return weight if weight.dtype == torch.float64 else weight.float()


def _join(values: Mapping[str, Tensor]) -> Tensor:
    return torch.cat(list(values.values())) if values else torch.empty(0)


def _percentile(values: Tensor) -> Tensor:
    """Share of values that are not above each."""
    ordered = values.flatten().sort().values
    return torch.searchsorted(ordered, values, right=True).to(torch.float64) / max(1, values.numel())
