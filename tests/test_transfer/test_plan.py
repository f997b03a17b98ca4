"""What a transfer changes, to the bit, and what it leaves alone."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from mmssl.errors import DataError
from mmssl.transfer.apply import apply_transfer
from mmssl.transfer.plan import plan_transfer
from mmssl.transfer.report import totals
from mmssl.transfer.rules import parse_rules, rule_sources
from mmssl.transfer.sources import read_sources
from mmssl.transfer.targets import target_tensors, unwrapped_modules


class Tiny(nn.Module):
    """A convolution of four filters of two weights, its norm, and a transposed convolution."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 4, (1, 2)), nn.BatchNorm2d(4))
        self.head = nn.ConvTranspose2d(4, 3, 1)


def segmentor(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = MODELS.build(
        {
            'type': 'EncoderDecoder',
            'backbone': {'type': 'mmssl.ERFNetEncoder'},
            'decode_head': {'type': 'mmssl.ERFNetDecodeHead', 'num_classes': 5},
        }
    )
    for name, tensor in model.state_dict().items():  # running statistics differ between runs too
        if name.endswith(('running_mean', 'running_var')):
            tensor.uniform_(1, 2)
        elif name.endswith('num_batches_tracked'):
            tensor.fill_(seed)
    return model


def save(model, path) -> dict:
    state = {key: value.clone() for key, value in model.state_dict().items()}
    torch.save({'state_dict': state, 'meta': {'seed': 1}}, path)
    return state


def clone(model) -> dict:
    return {key: value.clone() for key, value in model.state_dict().items()}


def transfer(model, *rules, seed=0):
    parsed = parse_rules(list(rules))
    entries = plan_transfer(target_tensors(model), parsed, read_sources(rule_sources(parsed)), seed=seed)
    apply_transfer(entries)
    return entries


def changed(model, before) -> set:
    return {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}


@pytest.fixture
def runs(tmp_path, mmseg_scope):
    """Three segmentors: the model, and two runs with a file each."""
    model, first, second = segmentor(0), segmentor(1), segmentor(2)
    return model, save(first, tmp_path / 'a.pth'), save(second, tmp_path / 'b.pth'), tmp_path


def is_layer(key: str, first: int, last: int) -> bool:
    part, layers, number = key.split('.')[:3]
    return layers == 'layers' and first <= int(number) <= last


def test_encoder_of_one_run_and_decoder_of_another(runs):
    model, first, second, root = runs
    before = clone(model)
    entries = transfer(
        model,
        {'source': str(root / 'a.pth'), 'modules': 'backbone'},
        {'source': str(root / 'b.pth'), 'modules': 'decode_head'},
    )
    for key, value in model.state_dict().items():
        expected = first if key.startswith('backbone') else second
        assert torch.equal(value, before[key] if 'conv_seg' in key else expected[key]), key
    actions = {entry.target.name: entry.action for entry in entries}
    assert actions['decode_head.conv_seg.weight'] == 'skipped'
    # table 3.1: 1,874,044 in the encoder; 189,304 in layers 17 to 22; 16 * 5 * 4 + 5 in the last
    assert totals(entries).startswith('2,062,956 of 2,063,281 parameters (99.9 %) taken from the sources, 0 reinit')
    assert totals(entries).endswith('325 left as they were')


def test_layers_1_to_12_alone(runs):
    model, first, _, root = runs
    before = clone(model)
    entries = transfer(model, {'source': str(root / 'a.pth'), 'layers': '1-12'})
    state = model.state_dict()
    wanted = {key for key in state if key.startswith('backbone') and is_layer(key, 1, 12)}
    # three downsamplers of 7 tensors, nine residual blocks of 18
    assert len(wanted) == 3 * 7 + 9 * 18
    assert sum(entry.action == 'copied' for entry in entries) == 183
    assert all(torch.equal(state[key], first[key]) for key in wanted)
    assert changed(model, before) == {key for key in wanted if not torch.equal(before[key], first[key])}
    # 396 + 7,088 + 37,184 in the downsamplers, 5 * 49,664 + 4 * 197,632 in the blocks
    assert totals(entries).startswith('1,083,516 of 2,063,281 parameters (52.5 %)')


def test_layers_1_to_12_of_one_run_and_13_to_16_of_another(runs):
    model, first, second, root = runs
    before = clone(model)
    transfer(
        model, {'source': str(root / 'a.pth'), 'layers': '1-12'}, {'source': str(root / 'b.pth'), 'layers': '13-16'}
    )
    for key, value in model.state_dict().items():
        expected = before
        if key.startswith('backbone'):
            expected = first if is_layer(key, 1, 12) else second
        assert torch.equal(value, expected[key]), key


def test_the_last_layer_comes_along_when_asked_for(runs):
    model, first, _, root = runs
    transfer(model, {'source': str(root / 'a.pth'), 'layers': '23', 'exclude': ()})
    assert torch.equal(model.decode_head.conv_seg.weight, first['decode_head.conv_seg.weight'])


@pytest.mark.parametrize('norm', ['keep', 'reset_statistics', 'reset'])
def test_norms(runs, norm):
    model, first, _, root = runs
    with torch.no_grad():
        model.backbone.layers['3'].bn1.weight.fill_(7)
    transfer(model, {'source': str(root / 'a.pth'), 'modules': 'backbone', 'norm': norm})
    norm1 = model.backbone.layers['3'].bn1
    key = 'backbone.layers.3.bn1.'
    if norm == 'keep':
        assert torch.equal(norm1.running_mean, first[key + 'running_mean'])
        assert int(norm1.num_batches_tracked) == 1
    else:
        assert norm1.running_mean.tolist() == [0.0] * 64
        assert norm1.running_var.tolist() == [1.0] * 64
        assert int(norm1.num_batches_tracked) == 0
    assert norm1.weight.tolist() == [1.0] * 64  # torch's start in the source, too
    assert norm1.bias.tolist() == [0.0] * 64
    conv = 'backbone.layers.3.conv1x3_1.'
    assert torch.equal(model.state_dict()[conv + 'weight'], first[conv + 'weight'])
    assert torch.equal(model.state_dict()[conv + 'bias'], first[conv + 'bias'])


def test_reset_sets_scale_and_shift(tmp_path):
    source, model = Tiny(), Tiny()
    source.backbone[1].weight.data.fill_(3.0)
    source.backbone[1].bias.data.fill_(4.0)
    save(source, tmp_path / 'a.pth')
    rule = {'source': str(tmp_path / 'a.pth'), 'modules': 'backbone'}
    transfer(model, rule | {'norm': 'reset_statistics'})
    assert (model.backbone[1].weight.tolist(), model.backbone[1].bias.tolist()) == ([3.0] * 4, [4.0] * 4)
    transfer(model, rule | {'norm': 'reset'})
    assert (model.backbone[1].weight.tolist(), model.backbone[1].bias.tolist()) == ([1.0] * 4, [0.0] * 4)


def hand_made(tmp_path):
    """Filters of energy 3, 1, 4, 2 in one file and 10, 40, 30, 20 in the other."""
    source, other = Tiny(), Tiny()
    with torch.no_grad():
        rows = torch.tensor([[1.0, -2.0], [0.5, 0.5], [-4.0, 0.0], [0.0, 2.0]])
        source.backbone[0].weight.copy_(rows.reshape(4, 1, 1, 2))
        source.backbone[0].bias.copy_(torch.tensor([0.1, 0.2, 0.3, 0.4]))
        rows = torch.tensor([[5.0, 5.0], [-20.0, 20.0], [0.0, 30.0], [20.0, 0.0]])
        other.backbone[0].weight.copy_(rows.reshape(4, 1, 1, 2))
        other.backbone[0].bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        # (in, out, 1, 1): output channels of energy 4, 8, 6
        source.head.weight.copy_(torch.tensor([[1.0, 2.0, 0.0]] * 3 + [[-1.0, -2.0, 6.0]]).reshape(4, 3, 1, 1))
        source.head.bias.copy_(torch.tensor([0.5, 0.6, 0.7]))
        other.head.weight.copy_(torch.tensor([[9.0, 1.0, 2.0]] * 4).reshape(4, 3, 1, 1))
        other.head.bias.copy_(torch.tensor([7.0, 8.0, 9.0]))
    save(source, tmp_path / 'source.pth')
    save(other, tmp_path / 'other.pth')
    return {'source': str(tmp_path / 'source.pth'), 'modules': '*', 'keep_filters': 0.5, 'exclude': ()}


def test_strongest_filters_stay_and_the_rest_is_drawn(tmp_path):
    rule, model = hand_made(tmp_path), Tiny()
    entries = transfer(model, rule)
    weight = model.backbone[0].weight.detach().reshape(4, 2)
    assert weight[[0, 2]].tolist() == [[1.0, -2.0], [-4.0, 0.0]]  # energies 3 and 4
    assert weight[[1, 3]].abs().min() > 0
    assert not torch.equal(weight[1], torch.tensor([0.5, 0.5]))
    assert model.backbone[0].bias.tolist() == pytest.approx([0.1, 0.0, 0.3, 0.0])
    # half of three filters is two: energies 8 and 6 of output channels 1 and 2
    head = model.head.weight.detach().reshape(4, 3)
    assert head[:, 1].tolist() == [2.0, 2.0, 2.0, -2.0]
    assert head[:, 2].tolist() == [0.0, 0.0, 0.0, 6.0]
    assert not torch.equal(head[:, 0], torch.tensor([1.0, 1.0, 1.0, -1.0]))
    assert model.head.bias.tolist() == pytest.approx([0.0, 0.6, 0.7])
    # 4 + 2 of the first layer, 8 + 2 of the second, 8 of the norm come from the file
    assert totals(entries).startswith('24 of 35 parameters (68.5 %) taken from the sources, 11 reinitialised, 0 left')
    reasons = {entry.target.name: entry.reason for entry in entries}
    assert reasons['head.weight'] == '2/3 filters, rest Kaiming'


def test_equal_seeds_draw_equal_filters(tmp_path):
    rule = hand_made(tmp_path)
    first, second, third = Tiny(), Tiny(), Tiny()
    transfer(first, rule, seed=3)
    transfer(second, rule, seed=3)
    transfer(third, rule, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.backbone[0].weight, third.backbone[0].weight)


def test_the_rest_comes_from_another_checkpoint(tmp_path):
    rule, model = hand_made(tmp_path), Tiny()
    entries = transfer(model, rule | {'other_filters': str(tmp_path / 'other.pth')})
    # the strongest donor (energy 40) takes the first free place, the next (30) the second
    weight = model.backbone[0].weight.detach().reshape(4, 2)
    assert weight.tolist() == [[1.0, -2.0], [-20.0, 20.0], [-4.0, 0.0], [0.0, 30.0]]
    assert model.backbone[0].bias.tolist() == pytest.approx([0.1, 2.0, 0.3, 3.0])
    head = model.head.weight.detach().reshape(4, 3)
    assert head[:, 0].tolist() == [9.0] * 4
    assert model.head.bias.tolist() == pytest.approx([7.0, 0.6, 0.7])
    assert totals(entries).startswith('35 of 35 parameters (100.0 %) taken')
    assert {path.rpartition('/')[2] for entry in entries for path, _ in entry.keys} == {'source.pth', 'other.pth'}


def test_the_other_checkpoint_may_have_other_names(tmp_path):
    rule, model = hand_made(tmp_path), Tiny()
    state = torch.load(tmp_path / 'other.pth', weights_only=True)['state_dict']
    torch.save({f'encoder.{key}': value for key, value in state.items()}, tmp_path / 'renamed.pth')
    rule['other_filters'] = str(tmp_path / 'renamed.pth')
    with pytest.raises(DataError, match=r'renamed.pth: no backbone.0.weight, expected as the other filters'):
        transfer(model, rule)
    transfer(model, rule | {'other_modules': 'encoder.*'})
    assert model.backbone[0].weight.detach().reshape(4, 2)[1].tolist() == [-20.0, 20.0]


def test_kept_shares_of_a_whole_encoder(runs):
    model, first, _, root = runs
    transfer(model, {'source': str(root / 'a.pth'), 'modules': 'backbone', 'keep_filters': 0.75})
    drawn = []
    for name, module in model.backbone.named_modules():
        if not isinstance(module, nn.Conv2d):
            continue
        weight, stored = module.weight.detach(), first[f'backbone.{name}.weight']
        kept = (weight == stored).flatten(1).all(dim=1)
        energy = stored.double().abs().flatten(1).sum(dim=1)
        assert int(kept.sum()) == math.floor(0.75 * len(weight) + 0.5)
        assert energy[kept].min() >= energy[~kept].max()
        assert torch.equal(module.bias[kept], first[f'backbone.{name}.bias'][kept])
        assert module.bias[~kept].abs().max() == 0
        drawn.append(weight[~kept].flatten() / math.sqrt(2 / weight[0].numel()))
    drawn = torch.cat(drawn)
    # 461,000 standard normal numbers: their deviation is known within 0.1 %
    assert len(drawn) > 400_000
    assert drawn.std().item() == pytest.approx(1, abs=0.005)
    assert drawn.mean().item() == pytest.approx(0, abs=0.008)


def test_torchvision_resnet_into_mmseg(tmp_path, mmseg_scope):
    import torchvision

    state = torchvision.models.resnet18().state_dict()
    torch.save(state, tmp_path / 'resnet18.pth')
    model = MODELS.build(
        {
            'type': 'EncoderDecoder',
            'backbone': {'type': 'ResNet', 'depth': 18},
            'decode_head': {'type': 'FCNHead', 'in_channels': 512, 'channels': 8, 'num_classes': 3, 'in_index': 3},
        }
    )
    rule = {'source': str(tmp_path / 'resnet18.pth'), 'modules': 'backbone.*', 'source_modules': '*'}
    before = clone(model)
    entries = transfer(model, rule)
    backbone = model.backbone.state_dict()
    assert len(backbone) == len(state) - 2 == sum(entry.action == 'copied' for entry in entries)
    assert all(torch.equal(value, state[key]) for key, value in backbone.items())
    assert {key.split('.')[0] for key in changed(model, before)} == {'backbone'}


def test_mmpretrain_checkpoint_into_mmseg(tmp_path, mmseg_scope):
    import mmpretrain.models  # noqa: F401, registers
    from mmengine.logging import HistoryBuffer

    classifier = MODELS.build(
        {
            'type': 'mmpretrain.ImageClassifier',
            'data_preprocessor': {'type': 'mmpretrain.ClsDataPreprocessor'},
            'backbone': {'type': 'mmssl.ERFNetEncoder'},
            'neck': {'type': 'mmpretrain.GlobalAveragePooling'},
            'head': {'type': 'mmpretrain.LinearClsHead', 'num_classes': 4, 'in_channels': 128},
        }
    )
    state = classifier.state_dict()
    hub = {'log_scalars': {'train/loss': HistoryBuffer([1.0], [1])}}
    torch.save({'state_dict': state, 'meta': {'epoch': 1}, 'message_hub': hub}, tmp_path / 'epoch_1.pth')
    model = segmentor(0)
    before = clone(model)
    entries = transfer(model, {'source': str(tmp_path / 'epoch_1.pth'), 'modules': 'backbone'})
    assert all(torch.equal(value, state[f'backbone.{key}']) for key, value in model.backbone.state_dict().items())
    assert {key.split('.')[0] for key in changed(model, before)} == {'backbone'}
    assert totals(entries).startswith('1,874,044 of 2,063,281 parameters (90.8 %)')


def test_erfnet_of_mmseg_needs_the_converter(tmp_path, runs):
    model, *_ = runs
    theirs = MODELS.build({'type': 'ERFNet'})
    torch.save({f'backbone.{key}': value for key, value in theirs.state_dict().items()}, tmp_path / 'mmseg.pth')
    message = r'found backbone.encoder.0.conv.weight.*; tools/model_converters/erfnet.py renames them$'
    with pytest.raises(DataError, match=message):
        transfer(model, {'source': str(tmp_path / 'mmseg.pth'), 'modules': 'backbone'})


def test_type_device_and_memory_format_stay_the_models(tmp_path):
    model = nn.Sequential(nn.Conv2d(4, 8, 3)).to(memory_format=torch.channels_last)
    stride = model[0].weight.stride()
    weight = torch.randn(8, 4, 3, 3)
    torch.save({'0.weight': weight.half(), '0.bias': torch.randn(8)}, tmp_path / 'a.pth')
    parameter = model[0].weight
    transfer(model, {'source': str(tmp_path / 'a.pth'), 'modules': '0'})
    assert model[0].weight is parameter
    assert model[0].weight.stride() == stride
    assert torch.equal(model[0].weight, weight.half().float())


def bad_cases(root):
    a, b = str(root / 'a.pth'), str(root / 'b.pth')
    good = {'source': a, 'modules': 'backbone'}
    return {
        'no such module': (
            [good | {'modules': 'bacbone'}],
            r"rules\[0\]: modules: 'bacbone' matches nothing in the model, which has backbone.layers, decode_head",
        ),
        'one pattern of two': ([good | {'modules': ['backbone', 'neck']}], "'neck' matches nothing"),
        'nothing in the source': (
            [good | {'source_modules': 'encoder'}],
            r'a.pth: none of 255 tensors that rules\[0\] \(backbone\) names; expected encoder.layers.1.conv.weight',
        ),
        'second rule finds nothing': (
            [good, {'source': b, 'modules': 'decode_head', 'source_modules': 'head'}],
            r'b.pth: none of \d+ tensors that rules\[1\]',
        ),
        'two rules': (
            [good, {'source': b, 'layers': '12-13'}],
            r'backbone.layers.12.conv3x1_1.weight is named by rules\[0\] \(backbone from .*a.pth\) and '
            r'rules\[1\] \(layers 12-13 from .*b.pth\), expected one rule',
        ),
        'two names in the source': (
            [
                good
                | {'modules': ['backbone', 'backbone.layers.3'], 'source_modules': ['backbone', 'backbone.layers.4']}
            ],
            r'backbone.layers.3.conv3x1_1.weight stands for two names in the source, '
            r'backbone.layers.3.conv3x1_1.weight and backbone.layers.4.conv3x1_1.weight',
        ),
        'all excluded': (
            [good | {'modules': 'decode_head.conv_seg'}],
            r'all 2 tensors are excluded \(\*.conv_seg\), expected some; set exclude=\(\)',
        ),
        'another shape': (
            [good, {'source': str(root / 'wide.pth'), 'modules': 'decode_head'}],
            r'rules\[1\]: .*wide.pth: decode_head.layers.18.bn2.bias has shape \(9,\) in the source, \(64,\)',
        ),
        'all of another shape': (
            [
                good,
                {
                    'source': str(root / 'wide.pth'),
                    'modules': 'decode_head.layers.18.bn2.bias',
                    'allow_mismatch': True,
                },
            ],
            'no tensor of .*wide.pth can be taken, expected one with the shape of the model',
        ),
        'NaN': (
            [good, {'source': str(root / 'nan.pth'), 'modules': 'decode_head'}],
            r'rules\[1\]: .*nan.pth: decode_head.layers.22.bn2.bias holds NaN, expected numbers',
        ),
        'no file': ([good, {'source': str(root / 'c.pth'), 'modules': 'decode_head'}], 'c.pth: no such checkpoint'),
    }


@pytest.mark.parametrize('case', list(bad_cases(Path())))
def test_bad_input_is_one_line_and_nothing_is_transferred(runs, case):
    model, first, _, root = runs
    torch.save(first | {'decode_head.layers.18.bn2.bias': torch.zeros(9)}, root / 'wide.pth')
    torch.save(first | {'decode_head.layers.22.bn2.bias': torch.full((16,), math.nan)}, root / 'nan.pth')
    before = clone(model)
    rules, message = bad_cases(root)[case]
    with pytest.raises(DataError, match=message) as caught:
        transfer(model, *rules)
    assert '\n' not in str(caught.value)
    assert changed(model, before) == set()


def test_shapes_may_differ_when_allowed(runs):
    model, first, _, root = runs
    torch.save(first | {'backbone.layers.16.bn2.bias': torch.zeros(9)}, root / 'wide.pth')
    before = clone(model)
    entries = transfer(model, {'source': str(root / 'wide.pth'), 'modules': 'backbone', 'allow_mismatch': True})
    skipped = [entry for entry in entries if entry.action == 'skipped']
    assert [entry.target.name for entry in skipped] == ['backbone.layers.16.bn2.bias']
    assert skipped[0].reason == 'shape (9,) in the source, (128,) in the model'
    assert torch.equal(model.state_dict()['backbone.layers.16.bn2.bias'], before['backbone.layers.16.bn2.bias'])


def test_what_one_rule_excludes_another_may_take(runs):
    model, first, second, root = runs
    transfer(
        model,
        {'source': str(root / 'a.pth'), 'modules': 'backbone', 'exclude': 'backbone.layers.5'},
        {'source': str(root / 'b.pth'), 'layers': '5'},
    )
    state = model.state_dict()
    assert torch.equal(state['backbone.layers.5.conv3x1_1.weight'], second['backbone.layers.5.conv3x1_1.weight'])
    assert torch.equal(state['backbone.layers.6.conv3x1_1.weight'], first['backbone.layers.6.conv3x1_1.weight'])


def test_wrapped_models_have_the_names_of_what_they_wrap():
    from mmengine.registry import MODEL_WRAPPERS

    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    MODEL_WRAPPERS.register_module(module=Wrapper, name='TestWrapper')
    try:
        model = Tiny()
        plain = [target.name for target in target_tensors(model)]
        model.backbone[0] = Wrapper(model.backbone[0])
        wrapped = Wrapper(model)
        assert [target.name for target in target_tensors(wrapped)] == plain
        kinds = {target.name: (target.has_filters, target.in_norm) for target in target_tensors(wrapped)}
        assert kinds['backbone.0.weight'] == (True, False)
        assert kinds['backbone.1.weight'] == (False, True)
        assert [name for name, _ in unwrapped_modules(wrapped)] == [name for name, _ in Tiny().named_modules()]
    finally:
        MODEL_WRAPPERS._module_dict.pop('TestWrapper')
