"""tools/transfer_weights.py from its command line."""

import importlib.util

import pytest
import torch
from mmengine.config import Config

from mmssl.apis.checkpoint_transfer import rule_from_options
from mmssl.models.backbones.erfnet import ERFNetEncoder

CONFIG = 'configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'


@pytest.fixture
def run(repository, tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location('tool', repository / 'tools/transfer_weights.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.chdir(tmp_path)

    def run(*arguments) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            tool.main([str(argument) for argument in arguments])
            status = 0
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def encoder(tmp_path) -> dict:
    """``encoder.pth``, as a pretext task leaves it."""
    torch.manual_seed(3)
    state = {f'backbone.{key}': value for key, value in ERFNetEncoder().state_dict().items()}
    torch.save({'state_dict': state | {'head.fc.weight': torch.zeros(4, 128)}}, tmp_path / 'encoder.pth')
    return state


def test_rules_of_the_command_line(run, repository, tmp_path, encoder):
    config = repository / CONFIG
    rules = ['--rule', 'source=encoder.pth', 'layers=1-12', 'norm=reset_statistics']
    rules += ['--rule', 'source=encoder.pth', 'layers=13-16', 'keep_filters=0.75']
    status, out, err = run(config, *rules, '--out', 'new/start.pth', '--seed', 5)
    assert status == 0, err
    lines = out.splitlines()
    assert lines[0] == 'Weight transfer'
    row = ['backbone.layers.13', 'mixed', '8', '197,120', '[1]', '96/128', 'filters,', 'rest', 'Kaiming']
    assert row in [line.split() for line in lines]
    assert lines[-1] == '343 tensors written to new/start.pth'
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['start.pth']
    content = torch.load(tmp_path / 'new/start.pth', weights_only=True)
    state = content['state_dict']
    weight = 'backbone.layers.12.conv3x1_2.weight'
    assert torch.equal(state[weight], encoder[weight])
    assert state['backbone.layers.12.bn1.running_var'].tolist() == [1.0] * 128
    weight = 'backbone.layers.16.conv3x1_2.weight'
    assert int((state[weight] == encoder[weight]).flatten(1).all(1).sum()) == 96
    assert content['meta']['seed'] == 5
    assert content['meta']['rules'][0]['layers'] == '1-12'
    assert len(content['meta']['sources']['encoder.pth']) == 64

    again = run(config, *rules, '--out', 'again.pth', '--seed', 5)
    assert again[0] == 0
    repeated = torch.load(tmp_path / 'again.pth', weights_only=True)['state_dict']
    assert all(torch.equal(value, repeated[key]) for key, value in state.items())


def test_rules_of_the_config(run, repository, tmp_path, encoder):
    cfg = Config.fromfile(repository / CONFIG)
    rules = [{'source': 'encoder.pth', 'modules': 'backbone', 'keep_filters': 0.9}]
    cfg.custom_hooks.append({'type': 'mmssl.WeightTransferHook', 'rules': rules, 'seed': 8})
    cfg.dump(tmp_path / 'config.py')
    status, out, err = run('config.py', '--from-hook', '--out', 'a.pth')
    assert status == 0, err
    rule = ['--rule', 'source=encoder.pth', 'modules=backbone', 'keep_filters=0.9']
    assert run('config.py', *rule, '--seed', 8, '--out', 'b.pth')[0] == 0
    first, second = (torch.load(tmp_path / name, weights_only=True) for name in ('a.pth', 'b.pth'))
    assert first['meta']['seed'] == 8
    assert all(torch.equal(value, second['state_dict'][key]) for key, value in first['state_dict'].items())


def test_without_out_the_table_is_all(run, repository, tmp_path, encoder):
    status, out, _ = run(repository / CONFIG, '--rule', 'source=encoder.pth', 'modules=backbone.layers.1', '--verbose')
    assert status == 0
    assert 'backbone.layers.1.conv.weight' in out
    assert '396 of 2,063,671 parameters' in out
    assert [path.name for path in tmp_path.iterdir()] == ['encoder.pth']


def test_inspect(run, encoder):
    status, out, _ = run('--inspect', 'encoder.pth')
    assert status == 0
    rows = [line.split(maxsplit=1) for line in out.splitlines()]
    assert ['backbone.layers.1.conv', 'weight 13x3x3x3, bias 13'] in rows
    assert ['head.fc', 'weight 4x128'] in rows
    assert '256 tensors in 85 modules' in out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--rule', 'source=encoder.pth', 'modules=bacbone'], "modules: 'bacbone' matches nothing in the model"),
        (['--rule', 'source=gone.pth', 'modules=backbone'], 'gone.pth: no such checkpoint file or work dir'),
        (['--rule', 'source=encoder.pth', 'module=backbone'], "unknown field 'module', did you mean 'modules'?"),
        (['--rule', 'modules=backbone'], "rules[0]: no 'source'"),
        (['--rule', 'encoder.pth'], "--rule: 'encoder.pth' found, FIELD=VALUE expected"),
        (['--rule', 'source=encoder.pth', 'layers=5-30'], "layers='5-30': '5-30' found, expected numbers from 1 to 23"),
        (['--from-hook'], '0 mmssl.WeightTransferHook in custom_hooks found, 1 expected'),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(run, repository, tmp_path, encoder, arguments, message):
    status, _, err = run(repository / CONFIG, *arguments, '--out', 'start.pth')
    assert status == 1
    error = [line for line in err.splitlines() if line.startswith('error: ')]
    assert len(error) == 1
    assert message in error[0]
    assert not (tmp_path / 'start.pth').exists()


@pytest.mark.parametrize(
    'arguments', [[], ['c.py'], ['c.py', '--rule', 'a=b', '--from-hook'], ['c.py', '--inspect', 'a.pth']]
)
def test_usage(run, arguments):
    status, _, err = run(*arguments)
    assert status == 2
    assert 'expected' in err or 'goes alone' in err


def test_values_of_a_rule():
    rule = rule_from_options(
        ['source=my runs/a,b.pth', 'modules=backbone.*,neck', 'exclude=', 'keep_filters=0.5', 'allow_mismatch=True']
    )
    assert rule == {
        'source': 'my runs/a,b.pth',
        'modules': ('backbone.*', 'neck'),
        'exclude': (),
        'keep_filters': 0.5,
        'allow_mismatch': True,
    }


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['a'], 'FIELD=VALUE expected'),
        (['=b'], 'FIELD=VALUE expected'),
        (['layers=1', 'layers=2'], "layers is given twice, '1' and '2'"),
        (['keep_filters=half'], r"keep_filters='half', expected a share in \(0, 1\]"),
        (['allow_mismatch=yes'], "allow_mismatch='yes', expected true or false"),
    ],
)
def test_what_is_no_rule(options, message):
    with pytest.raises(ValueError, match=message):
        rule_from_options(options)
