"""The table that tells a transfer, and the listing of a checkpoint."""

import pytest
import torch
from torch import nn

from mmssl.transfer.listing import checkpoint_listing
from mmssl.transfer.plan import plan_transfer
from mmssl.transfer.report import missing_tensors, module_group, transfer_report
from mmssl.transfer.rules import parse_rules, rule_sources
from mmssl.transfer.sources import read_checkpoint, read_sources
from mmssl.transfer.targets import target_tensors


def net(classes=3) -> nn.Module:
    return nn.ModuleDict(
        {
            'backbone': nn.ModuleDict({'conv1': nn.Conv2d(3, 4, 1), 'stages': nn.Sequential(nn.Linear(4, 2))}),
            'decode_head': nn.ModuleDict({'bn': nn.BatchNorm1d(2), 'conv_seg': nn.Linear(2, classes)}),
        }
    )


@pytest.fixture
def planned(tmp_path):
    state = net(7).state_dict()
    del state['backbone.stages.0.bias'], state['decode_head.bn.num_batches_tracked']
    torch.save(state | {'head.fc.weight': torch.zeros(2, 2)}, tmp_path / 'a.pth')
    torch.save(net().state_dict(), tmp_path / 'b.pth')
    rules = parse_rules(
        [
            {'source': str(tmp_path / 'a.pth'), 'modules': 'backbone'},
            {'source': str(tmp_path / 'a.pth'), 'modules': 'decode_head.bn', 'norm': 'reset_statistics'},
        ]
    )
    sources = read_sources(rule_sources(rules))
    return plan_transfer(target_tensors(net()), rules, sources), sources, tmp_path


def test_table(planned):
    entries, sources, root = planned
    digest = next(iter(sources.values())).sha256
    assert transfer_report(entries, sources).splitlines() == [
        'Weight transfer',
        'module                action   tensors  parameters  from  reason',
        '--------------------  -------  -------  ----------  ----  ---------------------',
        'backbone.conv1        copied         2          16  [1]',
        'backbone.stages.0     copied         1           8  [1]',
        'backbone.stages.0     skipped        1           2        not in the source',
        'decode_head.bn        copied         2           4  [1]',
        'decode_head.bn        reset          3           0        norm=reset_statistics',
        'decode_head.conv_seg  left           2           9        no rule names it',
        'Sources',
        f'  [1] {root}/a.pth',
        f'      sha256 {digest}',
        '      5 of 10 tensors used; 5 unused, in decode_head.bn, decode_head.conv_seg, head.fc',
        '28 of 39 parameters (71.7 %) taken from the sources, 0 reinitialised, 11 left as they were',
    ]
    assert missing_tensors(entries) == ['backbone.stages.0.bias']


def test_verbose_has_a_row_for_each_tensor(planned):
    entries, sources, _ = planned
    rows = transfer_report(entries, sources, verbose=True).split('Sources')[0].splitlines()[3:]
    assert [row.split()[0] for row in rows] == [entry.target.name for entry in sorted(entries, key=_order)]


def _order(entry):
    modules = ['backbone.conv1', 'backbone.stages.0', 'decode_head.bn', 'decode_head.conv_seg']
    actions = ['copied', 'reset', 'skipped', 'left']
    return modules.index(module_group(entry.target.name)), actions.index(entry.action)


def test_renamed_tensors_are_told(tmp_path):
    torch.save({f'teacher.{key}': value for key, value in net().state_dict().items()}, tmp_path / 'a.pth')
    rules = parse_rules([{'source': str(tmp_path / 'a.pth'), 'modules': '*', 'source_modules': 'teacher.*'}])
    sources = read_sources(rule_sources(rules))
    report = transfer_report(plan_transfer(target_tensors(net()), rules, sources), sources, verbose=True)
    assert 'as teacher.backbone.conv1.weight' in report


@pytest.mark.parametrize(
    ('name', 'group'),
    [
        ('backbone.layers.7.conv3x1_1.weight', 'backbone.layers.7'),
        ('decode_head.conv_seg.bias', 'decode_head.conv_seg'),
        ('backbone.layer1.0.conv1.weight', 'backbone.layer1.0'),
        ('backbone.conv1.weight', 'backbone.conv1'),
        ('fc.weight', 'fc'),
        ('scale', 'scale'),
    ],
)
def test_groups(name, group):
    assert module_group(name) == group


def test_listing(planned):
    *_, root = planned
    lines = checkpoint_listing(read_checkpoint(root / 'b.pth')).splitlines()
    assert lines[2] == 'backbone.conv1        weight 4x3x1x1, bias 4'
    assert lines[4] == (
        'decode_head.bn        weight 2, bias 2, running_mean 2, running_var 2, num_batches_tracked number'
    )
    assert lines[-3] == f'{root}/b.pth'
    assert lines[-1] == '11 tensors in 4 modules, 44 numbers'
