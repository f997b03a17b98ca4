"""What is taken from where: one rule of a weight transfer."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

from mmssl.errors import DataError

from .layer_numbers import layer_module, parse_layers
from .patterns import ModulePattern, as_patterns

NORM_CHOICES = ('keep', 'reset_statistics', 'reset')
KAIMING = 'kaiming'


@dataclass(frozen=True)
class TransferRule:
    """One source and the modules that take their weights from it (S0, section 5.1).

    Attributes:
        source: checkpoint file, work dir (its last checkpoint), or an http(s) address.
        modules: patterns of names in the model, see :class:`ModulePattern`. Either this or ``layers``.
        source_modules: the patterns' counterparts in the source where names differ there: as many as ``modules``,
            each with as many ``*``, whose texts carry over. With ``layers`` one pattern with one ``*`` for the name
            of the layer, as in ``teacher.*``.
        layers: ERFNet's numbers of S0, table 3.1: ``'1-12'``, ``'5'``, ``'1-8,13'``.
        exclude: patterns of names in the model that are never touched. The last layer is new for a new task (S0,
            section 4.2).
        keep_filters: share of the filters of each layer that is taken, those of the highest energy; in (0, 1].
        other_filters: the rest: ``'kaiming'``, or the filters of the highest energy of the same layer in another
            checkpoint, named as ``source`` is (S0, table 5.7).
        other_modules: as ``source_modules``, for the checkpoint of ``other_filters``; by default ``source_modules``.
        norm: normalisation layers are taken as they are (``'keep'``), with mean 0 and variance 1
            (``'reset_statistics'``), or with scale 1 and shift 0 as well (``'reset'``).
        allow_mismatch: leave out tensors of another shape instead of refusing the source.

    Raises:
        ValueError: on a value that is not as above.
    """

    source: str
    modules: str | Sequence[str] | None = None
    source_modules: str | Sequence[str] | None = None
    layers: str | int | Sequence | None = None
    exclude: str | Sequence[str] = ('*.conv_seg',)
    keep_filters: float = 1.0
    other_filters: str = KAIMING
    other_modules: str | Sequence[str] | None = None
    norm: str = 'keep'
    allow_mismatch: bool = False

    def __post_init__(self):
        if not isinstance(self.source, str) or not self.source:
            raise ValueError(f'source={self.source!r}, expected a checkpoint file, a work dir or an http(s) address')
        if (self.modules is None) == (self.layers is None):
            raise ValueError(f'modules={self.modules!r} and layers={self.layers!r}, expected one of the two')
        keep = self.keep_filters
        if isinstance(keep, bool) or not isinstance(keep, (int, float)) or not 0 < keep <= 1:
            raise ValueError(f'keep_filters={keep!r}, expected a share in (0, 1]')
        if not isinstance(self.other_filters, str) or not self.other_filters:
            raise ValueError(f"other_filters={self.other_filters!r}, expected 'kaiming' or a checkpoint")
        if keep == 1 and self.other_filters != KAIMING:
            raise ValueError(f'other_filters={self.other_filters!r} with keep_filters=1, expected a share below 1')
        if self.other_modules is not None and self.other_filters == KAIMING:
            raise ValueError(f'other_modules={self.other_modules!r}, expected a checkpoint in other_filters with it')
        if self.norm not in NORM_CHOICES:
            raise ValueError(f'norm={self.norm!r}, expected one of {", ".join(NORM_CHOICES)}')
        if not isinstance(self.allow_mismatch, bool):
            raise ValueError(f'allow_mismatch={self.allow_mismatch!r}, expected True or False')
        _ = self.patterns, self.other_patterns, self.excluded  # reads them, so that mistakes are told early

    @property
    def other_source(self) -> str | None:
        """Second checkpoint of the rule, if there is one."""
        return None if self.other_filters == KAIMING else self.other_filters

    @cached_property
    def excluded(self) -> tuple[ModulePattern, ...]:
        """Patterns of what is never touched."""
        return as_patterns(self.exclude, 'exclude') if self.exclude else ()

    @cached_property
    def patterns(self) -> tuple[tuple[ModulePattern, ModulePattern], ...]:
        """Pairs of a pattern in the model and its counterpart in the source."""
        return self._pairs(self.source_modules, 'source_modules')

    @cached_property
    def other_patterns(self) -> tuple[tuple[ModulePattern, ModulePattern], ...]:
        """Pairs of a pattern in the model and its counterpart in the checkpoint of ``other_filters``."""
        if self.other_modules is None:
            return self.patterns
        return self._pairs(self.other_modules, 'other_modules')

    def _pairs(self, counterparts, option: str) -> tuple[tuple[ModulePattern, ModulePattern], ...]:
        if self.layers is not None:
            targets = tuple(ModulePattern(layer_module(number)) for number in parse_layers(self.layers))
            if counterparts is None:
                return tuple((target, target) for target in targets)
            found = as_patterns(counterparts, option)
            if len(found) != 1 or found[0].stars != 1:
                raise ValueError(f'{option}={counterparts!r} with layers, expected one pattern with one *')
            return tuple((target, ModulePattern(found[0].fill((target.text, '')))) for target in targets)
        targets = as_patterns(self.modules, 'modules')
        found = targets if counterparts is None else as_patterns(counterparts, option)
        if len(found) != len(targets):
            raise ValueError(
                f'{option}={counterparts!r}: {len(found)} patterns found, {len(targets)} as in modules expected'
            )
        for target, pattern in zip(targets, found, strict=True):
            if target.stars != pattern.stars:
                raise ValueError(
                    f'{option}: {pattern.text!r} has {pattern.stars} *, expected {target.stars} as in {target.text!r}'
                )
        return tuple(zip(targets, found, strict=True))

    def __str__(self) -> str:
        if self.layers is not None:
            return f'layers {self.layers}'
        return self.modules if isinstance(self.modules, str) else ', '.join(self.modules)


def source_names(pairs: Sequence[tuple[ModulePattern, ModulePattern]], name: str) -> list[str]:
    """Names that stand in a source for a name of the model.

    Args:
        pairs: patterns of a rule.
        name: of a tensor of the model.

    Returns:
        Each name once, in the order of the patterns; empty when no pattern matches.
    """
    matches = ((counterpart, target.match(name)) for target, counterpart in pairs)
    return list(dict.fromkeys(counterpart.fill(texts) for counterpart, texts in matches if texts is not None))


def one_source_name(label: str, pairs: Sequence[tuple[ModulePattern, ModulePattern]], name: str) -> str | None:
    """The name that stands in a source for a name of the model.

    Args:
        label: of the rule, for the message.
        pairs: patterns of a rule.
        name: of a tensor of the model.

    Returns:
        The name, or None when no pattern matches.

    Raises:
        DataError: when patterns give two names.
    """
    names = source_names(pairs, name)
    if len(names) > 1:
        raise DataError(f'{label}: {name} stands for two names in the source, {names[0]} and {names[1]}, expected one')
    return names[0] if names else None


def parse_rules(rules: Sequence[Mapping]) -> list[TransferRule]:
    """Read the rules of a config.

    Args:
        rules: one dict a rule with the fields of :class:`TransferRule`.

    Returns:
        The rules.

    Raises:
        ValueError: naming the rule and the field.
    """
    if not isinstance(rules, (list, tuple)) or not rules:
        raise ValueError(f'rules={rules!r}, expected a list of at least one dict(source=..., modules=...)')
    known = [field.name for field in fields(TransferRule)]
    parsed = []
    for index, rule in enumerate(rules):
        if not isinstance(rule, Mapping):
            raise ValueError(f'rules[{index}]: {rule!r} found, dict(source=..., modules=...) expected')
        for key in rule:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f'did you mean {near[0]!r}?' if near else f'expected one of {", ".join(known)}'
                raise ValueError(f'rules[{index}]: unknown field {key!r}, {hint}')
        if 'source' not in rule:
            raise ValueError(f"rules[{index}]: no 'source', expected a checkpoint file, a work dir or an address")
        try:
            parsed.append(TransferRule(**rule))
        except ValueError as error:
            raise ValueError(f'rules[{index}]: {error}') from None
    return parsed


def rule_sources(rules: Sequence[TransferRule]) -> list[str]:
    """Every checkpoint that rules name, each once.

    Args:
        rules: of a transfer.

    Returns:
        Files, work dirs and addresses, in the order of the rules.
    """
    named = (source for rule in rules for source in (rule.source, rule.other_source))
    return list(dict.fromkeys(source for source in named if source))
