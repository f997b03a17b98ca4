"""tools/analysis_tools/sparsity.py: report, export and back, benchmark, and mistakes told in one line."""

import importlib.util
import json

import pytest
import torch

from mmssl.models.backbones.erfnet import ERFNetEncoder
from mmssl.models.decode_heads.erfnet_head import ERFNetDecodeHead
from mmssl.pruning.holding import apply_masks
from mmssl.pruning.selection import select_weights
from mmssl.pruning.ticket import find_masks

CONFIG = 'configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'
SHAPE = ['--shape', '64', '96']


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('sparsity', repository / 'tools/analysis_tools/sparsity.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def state():
    """ERFNet with half of the encoder's weights at zero, in the names of a segmentor."""
    torch.manual_seed(0)
    encoder, head = ERFNetEncoder(), ERFNetDecodeHead(num_classes=11)
    names = select_weights(encoder, '*')
    parameters = dict(encoder.named_parameters())
    apply_masks(encoder, find_masks({name: parameters[name] for name in names}, 0.5))
    return {
        **{f'backbone.{name}': tensor for name, tensor in encoder.state_dict().items()},
        **{f'decode_head.{name}': tensor for name, tensor in head.state_dict().items()},
    }


@pytest.fixture
def paths(repository, state, tmp_path, mmseg_scope):
    meta = {'dataset_meta': {'classes': ('sky', 'road')}, 'iter': 3}
    torch.save({'meta': meta, 'state_dict': state, 'optimizer': {}}, tmp_path / 'pruned.pth')
    return [str(repository / CONFIG), str(tmp_path / 'pruned.pth')]


def test_report(tool, paths, tmp_path, capsys):
    numbers = tool.main([*paths, *SHAPE, '--json', str(tmp_path / 'new/numbers.json')])
    text = capsys.readouterr().out
    layers = {layer['name']: layer for layer in numbers['layers']}
    first = layers['backbone.layers.1.conv.weight']  # 3 to 13 channels, 3x3, stride 2: 48x32 outputs
    assert (first['weights'], first['zeros'], first['uses']) == (351, 176, 32 * 48)
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in text.splitlines() if line.startswith('|')]
    # a multiplication and an addition for each weight and output
    assert ['backbone.layers.1.conv.weight', '351', '176', '50.14%', '1.08', '0.54'] in rows
    assert (f'{2 * 351 * 1536 / 1e6:.2f}', f'{2 * 175 * 1536 / 1e6:.2f}') == ('1.08', '0.54')
    last = layers['decode_head.conv_seg.weight']  # transposed, 16 to 11 channels, 2x2: each input position
    assert (last['weights'], last['zeros'], last['uses']) == (16 * 11 * 4, 0, 32 * 48)
    encoder = [layer for name, layer in layers.items() if name.startswith('backbone')]
    assert all(layer['zeros'] == round(layer['weights'] / 2) for layer in encoder)
    zeros = sum(layer['zeros'] for layer in encoder)
    total = numbers['parameters']
    assert f'parameters {total:,}, of which not zero {numbers["nonzero"]:,}' in text
    assert total - numbers['nonzero'] >= zeros  # biases of norms start at zero
    assert numbers['sparse_flops'] == sum(2 * (x['weights'] - x['zeros']) * x['uses'] for x in layers.values())
    assert numbers['other_flops'] == 0
    assert 0.4 < 1 - numbers['compressed_bytes'] / numbers['dense_bytes'] < 0.5
    assert json.loads((tmp_path / 'new/numbers.json').read_text()) == json.loads(json.dumps(numbers))


def test_export_and_restore(tool, paths, state, tmp_path, capsys):
    small, back = tmp_path / 'out/small.pth', tmp_path / 'back/checkpoint.pth'
    tool.main([*paths, *SHAPE, '--export', str(small)])
    assert small.stat().st_size < 0.6 * (tmp_path / 'pruned.pth').stat().st_size
    assert tool.main(['--restore', str(small), '--out', str(back)]) == {}
    restored = torch.load(back, weights_only=True)
    assert restored['meta'] == {'dataset_meta': {'classes': ('sky', 'road')}, 'iter': 3}
    assert list(restored['state_dict']) == list(state)
    assert all(torch.equal(restored['state_dict'][name], tensor) for name, tensor in state.items())
    assert f'{len(state)} tensors written to {back}' in capsys.readouterr().out
    tool.main([paths[0], str(back), *SHAPE])  # the same report from what came back
    small.write_bytes(small.read_bytes()[:-5000])
    back.unlink()
    with pytest.raises(SystemExit):
        tool.main(['--restore', str(small), '--out', str(back)])
    assert 'small.pth: damaged or no such file' in capsys.readouterr().err
    assert not back.exists()


def test_benchmark_tells_the_ratio(tool, paths, capsys, monkeypatch):
    model = {}
    original = tool.filled

    def filled(network):
        model['pruned'], model['dense'] = network, original(network)
        return model['dense']

    monkeypatch.setattr(tool, 'filled', filled)
    found = tool.main([*paths, *SHAPE, '--benchmark', '--repeats', '3', '--device', 'cpu'])['benchmark']
    weights = [
        dict(model[kind].named_parameters())['backbone.layers.5.conv3x1_1.weight'] for kind in ('pruned', 'dense')
    ]
    kept = weights[0] != 0
    assert kept.float().mean() == 0.5
    assert (weights[1] != 0).all()
    assert torch.equal(weights[0][kept], weights[1][kept])
    assert 0.3 < (weights[1][~kept].std() / weights[0][kept].std()).item() < 3
    medians = [sorted(found[key])[1] for key in ('pruned_s', 'dense_s')]
    assert found['ratio_of_medians'] == pytest.approx(medians[0] / medians[1])
    text = capsys.readouterr().out
    assert f'time with / without zeros: {found["ratio_of_medians"]:.3f}' in text
    assert 'Unstructured zeros do not make dense kernels faster' in text


def test_a_model_of_another_host(tool, tmp_path, mmseg_scope):
    config = tmp_path / 'classifier.py'
    config.write_text(
        "default_scope = 'mmpretrain'\n"
        "model = dict(type='ImageClassifier', backbone=dict(type='mmssl.ERFNetEncoder'),\n"
        "    neck=dict(type='GlobalAveragePooling'), head=dict(type='LinearClsHead', num_classes=4, in_channels=128))\n"
    )
    from mmssl.apis.any_model import build_model
    from mmssl.apis.config import load_config

    model = build_model(load_config(str(config)), 'classifier')
    torch.save({f'module.{name}': tensor for name, tensor in model.state_dict().items()}, tmp_path / 'w.pth')
    numbers = tool.main([str(config), str(tmp_path / 'w.pth'), *SHAPE])
    assert numbers['layers'][-1]['name'] == 'head.fc.weight'
    assert numbers['layers'][-1]['weights'] == 512


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda s: s.pop('backbone.layers.9.bn1.weight'),
            'does not fit the model, 1 tensors differ; first: backbone.layers.9.bn1.weight is missing',
        ),
        (lambda s: s.update(a=torch.zeros(1)), 'first: a is not in the model'),
        (
            lambda s: s.update({'decode_head.conv_seg.bias': torch.zeros(3)}),
            'decode_head.conv_seg.bias is (3,), not (11,)',
        ),
        (lambda s: s.clear(), 'no tensor in it'),
    ],
)
def test_checkpoints_that_do_not_fit(tool, paths, state, tmp_path, change, message, capsys):
    state = dict(state)
    change(state)
    torch.save({'state_dict': state}, tmp_path / 'pruned.pth')
    with pytest.raises(SystemExit) as stop:
        tool.main([*paths, *SHAPE])
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    assert message in error


def test_other_mistakes(tool, paths, tmp_path, capsys):
    for command, message in [
        ([paths[0], 'nowhere.pth'], 'checkpoint nowhere.pth: no such file'),
        (['--restore', paths[1], '--out', str(tmp_path / 'o.pth')], "format None found, 'mmssl compressed weights 1'"),
        ([*paths, '--channels', '5', *SHAPE], 'does not take an input of (1, 5, 64, 96)'),
    ]:
        with pytest.raises(SystemExit) as stop:
            tool.main(command)
        assert stop.value.code == 1
        error = capsys.readouterr().err
        assert error.count('\n') == 1
        assert message in error
    for command in (
        ['--restore', 'x.pth'],
        [paths[0]],
        [*paths, '--restore', 'x', '--out', 'y'],
        [*paths, '--shape', '0', '3'],
    ):
        with pytest.raises(SystemExit) as stop:
            tool.main(command)
        assert stop.value.code == 2
