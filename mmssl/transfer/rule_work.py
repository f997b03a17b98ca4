"""Decide what one rule makes of one tensor."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from mmssl.errors import DataError

from .filters import as_filters, by_energy, from_filters, kaiming_filters, number_kept, replace_rows, weakest
from .rules import TransferRule, one_source_name
from .sources import SourceCheckpoint
from .targets import TargetTensor

# What a normalisation layer starts with.
NORM_STATISTICS = {'running_mean': 0, 'running_var': 1, 'num_batches_tracked': 0}
NORM_PARAMETERS = {'weight': 1, 'bias': 0}


@dataclass(frozen=True)
class TransferEntry:
    """What happens to one tensor of the model.

    Attributes:
        target: the tensor.
        action: ``'copied'``, ``'mixed'`` (filters of two origins), ``'reset'``, ``'skipped'`` (a rule names it, and it
            stays as it is) or ``'left'`` (no rule names it).
        reason: in a few words, may be empty.
        value: what it becomes, in the target's shape; None when it stays.
        keys: tensors that the value was made of, as (path of the file, name).
        taken: numbers that come from a file.
    """

    target: TargetTensor
    action: str
    reason: str = ''
    value: Tensor | None = None
    keys: tuple[tuple[str, str], ...] = ()
    taken: int = 0


@dataclass
class _Mix:
    """Which filters of a layer are replaced, and by which of the other checkpoint."""

    places: Tensor
    donors: Tensor | None


@dataclass
class RuleWork:
    """A rule with its files, while its tensors are planned; weights have to come before their biases.

    Attributes:
        label: the rule's place in the config, for messages.
        rule: the rule.
        source: its checkpoint.
        other: checkpoint of its ``other_filters``, if there is one.
        seed: of filters that are drawn.
        mixes: modules whose filters are of two origins; their biases follow.
    """

    label: str
    rule: TransferRule
    source: SourceCheckpoint
    other: SourceCheckpoint | None
    seed: int
    mixes: dict[str, _Mix] = field(default_factory=dict)

    def entry(self, target: TargetTensor, key: str) -> TransferEntry:
        """Plan one tensor that the rule names.

        Args:
            target: the tensor of the model.
            key: its name in the source, which may lack it.

        Returns:
            What happens to it.

        Raises:
            DataError: when shapes differ and may not, or the source holds NaN.
        """
        rule, source = self.rule, self.source
        start = _norm_start(target, rule.norm)
        if start is not None:
            return TransferEntry(target, 'reset', f'norm={rule.norm}', torch.full_like(target.tensor, start))
        if key not in source.tensors:
            return TransferEntry(target, 'skipped', f'not in the source{f" as {key}" if key != target.name else ""}')
        value = source.tensors[key]
        if value.shape != target.tensor.shape:
            shapes = f'{tuple(value.shape)} in the source, {tuple(target.tensor.shape)} in the model'
            if rule.allow_mismatch:
                return TransferEntry(target, 'skipped', f'shape {shapes}')
            raise DataError(f'{self.label}: {source.path}: {key} has shape {shapes}, expected equal ones')
        if value.is_floating_point() and torch.isnan(value).any():
            raise DataError(f'{self.label}: {source.path}: {key} holds NaN, expected numbers')
        if rule.keep_filters < 1 and target.has_filters:
            return self._mixed_weight(target, key, value)
        if target.leaf == 'bias' and target.module in self.mixes:
            return self._mixed_bias(target, key, value)
        return TransferEntry(target, 'copied', '', value, ((source.path, key),), value.numel())

    def _mixed_weight(self, target: TargetTensor, key: str, value: Tensor) -> TransferEntry:
        groups = target.transposed_groups
        filters = as_filters(value, groups)
        total, size = filters.shape
        kept = number_kept(self.rule.keep_filters, total)
        places = weakest(filters, kept)
        keys, taken, donors = [(self.source.path, key)], kept * size, None
        if self.other is None:
            new, origin = kaiming_filters(len(places), size, seed=self.seed, name=target.name), 'Kaiming'
        else:
            other_key, other = self._other(target)
            candidates = as_filters(other, groups)
            # The strongest donor takes the first free place.
            donors = by_energy(candidates)[: len(places)]
            new, origin = candidates[donors], 'other'
            keys.append((self.other.path, other_key))
            taken = total * size
        self.mixes[target.module] = _Mix(places, donors)
        mixed = from_filters(replace_rows(filters, places, new), value.shape, groups)
        return TransferEntry(target, 'mixed', f'{kept}/{total} filters, rest {origin}', mixed, tuple(keys), taken)

    def _mixed_bias(self, target: TargetTensor, key: str, value: Tensor) -> TransferEntry:
        mix = self.mixes[target.module]
        keys, taken = [(self.source.path, key)], len(value) - len(mix.places)
        new = torch.zeros(len(mix.places))
        if mix.donors is not None:
            other_key, other = self._other(target)
            new, taken = other[mix.donors], len(value)
            keys.append((self.other.path, other_key))
        origin = 'Kaiming' if mix.donors is None else 'other'
        reason = f'{len(value) - len(mix.places)}/{len(value)} filters, rest {origin}'
        return TransferEntry(target, 'mixed', reason, replace_rows(value, mix.places, new), tuple(keys), taken)

    def _other(self, target: TargetTensor) -> tuple[str, Tensor]:
        key = one_source_name(self.label, self.rule.other_patterns, target.name)
        if key not in self.other.tensors:
            raise DataError(
                f'{self.label}: {self.other.path}: no {key}, expected as the other filters of {target.name}'
            )
        other = self.other.tensors[key]
        if other.shape != target.tensor.shape:
            raise DataError(
                f'{self.label}: {self.other.path}: {key} has shape {tuple(other.shape)} in the source, '
                f'{tuple(target.tensor.shape)} in the model, expected equal ones'
            )
        if torch.isnan(other).any():
            raise DataError(f'{self.label}: {self.other.path}: {key} holds NaN, expected numbers')
        return key, other


def _norm_start(target: TargetTensor, norm: str) -> int | None:
    """The number a tensor of a norm starts with when the rule resets it."""
    if not target.in_norm or norm == 'keep':
        return None
    reset = NORM_STATISTICS | (NORM_PARAMETERS if norm == 'reset' else {})
    return reset.get(target.leaf)
