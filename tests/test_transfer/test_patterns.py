"""Patterns, layer numbers and rules: what they match, and what they refuse."""

import pytest
from mmengine.config import Config

from mmssl.transfer.layer_numbers import layer_module, parse_layers
from mmssl.transfer.patterns import ModulePattern, as_patterns
from mmssl.transfer.rules import parse_rules, rule_sources, source_names


@pytest.mark.parametrize(
    ('pattern', 'name', 'texts'),
    [
        ('backbone', 'backbone.layers.1.conv.weight', ('.layers.1.conv.weight',)),
        ('backbone', 'backbone', ('',)),
        ('backbone', 'backbones.layers.1', None),
        ('backbone', 'teacher.backbone.layers.1', None),
        ('backbone.layers.1', 'backbone.layers.12.bn1.weight', None),
        ('backbone.*', 'backbone.conv1.weight', ('conv1.weight', '')),
        ('*.conv_seg', 'decode_head.conv_seg.bias', ('decode_head', '.bias')),
        ('*.conv_seg', 'conv_seg.bias', None),
        ('*.bn*.weight', 'backbone.layers.3.bn2.weight', ('backbone.layers.3', '2', '')),
        ('*', 'a.b', ('a.b', '')),
        ('a.b', 'axb', None),
    ],
)
def test_matches(pattern, name, texts):
    assert ModulePattern(pattern).match(name) == texts


@pytest.mark.parametrize(
    ('target', 'source', 'name', 'expected'),
    [
        ('backbone.*', '*', 'backbone.layer1.0.conv1.weight', 'layer1.0.conv1.weight'),
        ('backbone', 'encoder_q', 'backbone.conv1.weight', 'encoder_q.conv1.weight'),
        ('*', 'teacher.*', 'backbone.conv1.weight', 'teacher.backbone.conv1.weight'),
        ('a.*.b.*', 'c.*.d.*.e', 'a.1.b.2', 'c.1.d.2.e'),
    ],
)
def test_texts_carry_over(target, source, name, expected):
    assert ModulePattern(source).fill(ModulePattern(target).match(name)) == expected


@pytest.mark.parametrize('text', ['', 'a b', 'a..b', '.a', 'a.', 3, None])
def test_what_is_no_pattern(text):
    with pytest.raises(ValueError, match=r'pattern .* found, a dotted module name expected'):
        ModulePattern(text)


@pytest.mark.parametrize('value', [(), [], None, 3, {'a': 1}])
def test_what_is_no_list_of_patterns(value):
    with pytest.raises(ValueError, match='exclude=.*, expected a pattern or a list'):
        as_patterns(value, 'exclude')


@pytest.mark.parametrize(
    ('text', 'numbers'),
    [
        ('1-12', list(range(1, 13))),
        ('13-16', [13, 14, 15, 16]),
        ('5', [5]),
        (5, [5]),
        ('1-3, 2-4,13', [1, 2, 3, 4, 13]),
        (['1-2', 23], [1, 2, 23]),
    ],
)
def test_layer_numbers(text, numbers):
    assert parse_layers(text) == numbers


@pytest.mark.parametrize('text', ['0', '24', '5-3', '1-', 'a', '', '1,,2', '-1', '1.5', True, [], None])
def test_what_is_no_layer_number(text):
    with pytest.raises(ValueError, match=r'layers=.*expected numbers from 1 to 23'):
        parse_layers(text)


def test_layers_of_table_3_1():
    assert layer_module(1) == 'backbone.layers.1'
    assert layer_module(16) == 'backbone.layers.16'
    assert layer_module(17) == 'decode_head.layers.17'
    assert layer_module(22) == 'decode_head.layers.22'
    assert layer_module(23) == 'decode_head.conv_seg'


def test_layers_may_stand_elsewhere_in_the_source():
    rule = parse_rules([{'source': 'a.pth', 'layers': '1-2', 'source_modules': 'teacher.*'}])[0]
    assert source_names(rule.patterns, 'backbone.layers.2.conv.weight') == ['teacher.backbone.layers.2.conv.weight']
    assert source_names(rule.patterns, 'backbone.layers.3.conv1x3_1.weight') == []


def test_rules_of_a_config():
    cfg = Config({'rules': [{'source': 'a.pth', 'modules': ['backbone.*', 'neck'], 'source_modules': ['*', 'neck']}]})
    rule = parse_rules(cfg.rules)[0]
    assert source_names(rule.patterns, 'backbone.conv1.weight') == ['conv1.weight']
    assert source_names(rule.patterns, 'neck.fc.bias') == ['neck.fc.bias']
    assert rule.excluded[0].text == '*.conv_seg'


def test_every_source_is_named_once():
    rules = parse_rules(
        [
            {'source': 'a', 'layers': '1-12', 'keep_filters': 0.9, 'other_filters': 'b'},
            {'source': 'b', 'layers': '13-16', 'keep_filters': 0.75},
            {'source': 'a', 'modules': 'decode_head'},
        ]
    )
    assert rule_sources(rules) == ['a', 'b']


GOOD = {'source': 'a.pth', 'modules': 'backbone'}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'modulse': 'x'}, r"rules\[0\]: unknown field 'modulse', did you mean 'modules'\?"),
        ({'zzz': 1}, r"rules\[0\]: unknown field 'zzz', expected one of source, modules"),
        ({'source': ''}, r"rules\[0\]: source='', expected a checkpoint file"),
        ({'source': 3}, r'rules\[0\]: source=3, expected'),
        ({'layers': '1-12'}, r"rules\[0\]: modules='backbone' and layers='1-12', expected one of the two"),
        ({'modules': None}, r'rules\[0\]: modules=None and layers=None, expected one'),
        ({'modules': None, 'layers': '0-3'}, r"rules\[0\]: layers='0-3': '0-3' found, expected numbers from 1 to 23"),
        ({'keep_filters': 0}, r'rules\[0\]: keep_filters=0, expected a share in \(0, 1\]'),
        ({'keep_filters': 1.01}, r'keep_filters=1.01, expected'),
        ({'keep_filters': float('nan')}, r'keep_filters=nan, expected'),
        ({'keep_filters': '0.5'}, r"keep_filters='0.5', expected"),
        ({'keep_filters': True}, r'keep_filters=True, expected'),
        ({'other_filters': 'b.pth'}, r"other_filters='b.pth' with keep_filters=1, expected a share below 1"),
        ({'keep_filters': 0.5, 'other_filters': None}, r"other_filters=None, expected 'kaiming' or a checkpoint"),
        ({'other_modules': 'x'}, r"other_modules='x', expected a checkpoint in other_filters"),
        ({'norm': 'fresh'}, r"norm='fresh', expected one of keep, reset_statistics, reset"),
        ({'allow_mismatch': 1}, r'allow_mismatch=1, expected True or False'),
        ({'modules': 'a b'}, r"rules\[0\]: modules: pattern 'a b' found"),
        ({'exclude': 3}, r'exclude=3, expected a pattern'),
        ({'source_modules': 'b.*'}, r"source_modules: 'b.\*' has 1 \*, expected 0 as in 'backbone'"),
        ({'source_modules': ['a', 'b']}, r'2 patterns found, 1 as in modules expected'),
        ({'modules': None, 'layers': '5', 'source_modules': 'teacher'}, 'with layers, expected one pattern with one'),
    ],
)
def test_bad_rules_are_told_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_rules([{**GOOD, **change}])
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('rules', [[], None, {'source': 'a'}, 'a.pth'])
def test_rules_are_a_list(rules):
    with pytest.raises(ValueError, match='expected a list of at least one dict'):
        parse_rules(rules)


def test_the_bad_rule_is_numbered():
    with pytest.raises(ValueError, match=r"rules\[1\]: no 'source'"):
        parse_rules([GOOD, {'modules': 'neck'}])
    with pytest.raises(ValueError, match=r"rules\[1\]: 'a.pth' found, dict"):
        parse_rules([GOOD, 'a.pth'])
