"""Decide what happens to each tensor of a model before one of them is changed."""

from collections.abc import Mapping, Sequence

from mmssl.errors import DataError

from .erfnet_checkpoints import convert_erfnet
from .rule_work import RuleWork, TransferEntry
from .rules import TransferRule, one_source_name
from .sources import SourceCheckpoint
from .targets import TargetTensor


def plan_transfer(
    targets: Sequence[TargetTensor],
    rules: Sequence[TransferRule],
    sources: Mapping[str, SourceCheckpoint],
    *,
    seed: int = 0,
) -> list[TransferEntry]:
    """Plan a transfer; nothing is changed.

    Args:
        targets: tensors of the model.
        rules: what is taken from where.
        sources: checkpoint of each ``source`` and ``other_source`` of the rules.
        seed: of the filters that are drawn.

    Returns:
        One entry a target, in their order.

    Raises:
        DataError: when a pattern matches nothing in the model, a rule finds nothing in its source, shapes differ, a
            tensor holds NaN, two rules name one tensor, or one tensor has two names in a source.
    """
    entries, claimed = {}, {}
    for index, rule in enumerate(rules):
        work = RuleWork(
            f'rules[{index}]', rule, sources[rule.source], rule.other_source and sources[rule.other_source], seed
        )
        _check_patterns(work.label, rule, targets)
        named = {target.name: one_source_name(work.label, rule.patterns, target.name) for target in targets}
        named = {name: key for name, key in named.items() if key is not None}
        excluded = {name: p.text for name in named for p in rule.excluded if p.match(name) is not None}
        for name in named:
            if name in excluded:
                continue
            if name in claimed:
                raise DataError(
                    f'{name} is named by rules[{claimed[name]}] ({rules[claimed[name]]} from '
                    f'{rules[claimed[name]].source}) and {work.label} ({rule} from {rule.source}), expected one rule'
                )
            claimed[name] = index
        planned = {}
        # A bias follows the filters of its weight, which therefore come first.
        for target in sorted(targets, key=lambda t: not t.has_filters):
            if target.name in excluded:
                entries.setdefault(target.name, TransferEntry(target, 'skipped', f'exclude {excluded[target.name]}'))
            elif target.name in named:
                planned[target.name] = work.entry(target, named[target.name])
        _check_something_is_taken(work, named, excluded, planned)
        entries |= planned
    return [entries.get(target.name) or TransferEntry(target, 'left', 'no rule names it') for target in targets]


def _check_patterns(label: str, rule: TransferRule, targets: Sequence[TargetTensor]) -> None:
    for pattern, _ in rule.patterns:
        if not any(pattern.match(target.name) is not None for target in targets):
            parts = ', '.join(dict.fromkeys('.'.join(target.name.split('.')[:2]) for target in targets))
            option = 'layers' if rule.layers is not None else 'modules'
            raise DataError(
                f'{label}: {option}: {pattern.text!r} matches nothing in the model, which has {_short(parts)}'
            )


def _check_something_is_taken(work: RuleWork, named: dict, excluded: dict, planned: dict) -> None:
    if any(entry.action in ('copied', 'mixed') for entry in planned.values()):
        return
    what = f'{work.label} ({work.rule}): '
    if not planned:
        patterns = ', '.join(dict.fromkeys(excluded.values()))
        raise DataError(f'{what}all {len(named)} tensors are excluded ({patterns}), expected some; set exclude=()')
    missing = [named[name] for name in planned if named[name] not in work.source.tensors]
    if missing:
        raise DataError(
            f'{work.source.path}: none of {len(planned)} tensors that {work.label} ({work.rule}) names; '
            f'expected {_short(", ".join(missing), 80)}, found {_short(", ".join(work.source.tensors), 80)}'
            + _converter_hint(work.source, set(missing))
        )
    raise DataError(f'{what}no tensor of {work.source.path} can be taken, expected one with the shape of the model')


def _converter_hint(source: SourceCheckpoint, wanted: set[str]) -> str:
    try:
        converted, _ = convert_erfnet(source.tensors)
    except ValueError:
        return ''
    return '' if wanted.isdisjoint(converted) else '; tools/model_converters/erfnet.py renames them'


def _short(text: str, limit: int = 160) -> str:
    return text if len(text) <= limit else f'{text[:limit].rsplit(",", 1)[0]}, ...'
