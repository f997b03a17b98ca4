"""Published DeepLabv2 weights in the model of configs/_base_/models/deeplabv2_r101.py."""

import importlib.util

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, init_default_scope

from mmssl.errors import DataNotFoundError
from mmssl.transfer.deeplabv2_checkpoints import PUBLISHED_MEAN, convert_deeplabv2, fit_first_layer

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@pytest.fixture(scope='module')
def model(repository):
    init_default_scope('mmseg')
    yield MODELS.build(Config.fromfile(repository / 'configs/_base_/models/deeplabv2_r101.py').model)
    DefaultScope._instance_dict.clear()


def published_names() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the public ResNet-101, written from the description of its blocks."""
    shapes = {'conv1.weight': (64, 3, 7, 7)}

    def norm(name, channels):
        shapes.update({f'{name}.{key}': (channels,) for key in ('weight', 'bias', 'running_mean', 'running_var')})

    norm('bn1', 64)
    channels = 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (23, 256), (3, 512)), start=1):
        for block in range(blocks):
            name = f'layer{stage}.{block}'
            shapes[f'{name}.conv1.weight'] = (width, channels, 1, 1)
            shapes[f'{name}.conv2.weight'] = (width, width, 3, 3)
            shapes[f'{name}.conv3.weight'] = (4 * width, width, 1, 1)
            for number, out in ((1, width), (2, width), (3, 4 * width)):
                norm(f'{name}.bn{number}', out)
            if block == 0:
                shapes[f'{name}.downsample.0.weight'] = (4 * width, channels, 1, 1)
                norm(f'{name}.downsample.1', 4 * width)
            channels = 4 * width
    return shapes


@pytest.fixture(scope='module')
def published():
    generator = torch.Generator().manual_seed(0)
    state = {name: torch.rand(shape, generator=generator) for name, shape in published_names().items()}
    for branch in range(4):
        state[f'layer5.conv2d_list.{branch}.weight'] = torch.rand(19, 2048, 3, 3, generator=generator)
        state[f'layer5.conv2d_list.{branch}.bias'] = torch.rand(19, generator=generator)
    return state


@pytest.mark.parametrize('prefix', ['', 'Scale.', 'module.', 'module.Scale.'])
def test_every_tensor_has_its_place(model, published, prefix):
    source = {f'{prefix}{name}': tensor for name, tensor in published.items()}
    converted, left_out, said = convert_deeplabv2(source, num_classes=19)
    assert left_out == [] and len(converted) == len(published) == 528
    assert said == 'classifier of 19 classes converted, 4 branches'
    # strict: the published files are older than num_batches_tracked, which torch then fills in itself
    model.load_state_dict(converted, strict=True)
    loaded = model.state_dict()
    for name, tensor in published.items():
        head = name.startswith('layer5')
        ours = name.replace('layer5.conv2d_list', 'decode_head.branches') if head else f'backbone.{name}'
        assert torch.equal(loaded[ours], tensor), name


@pytest.mark.parametrize(('num_classes', 'wanted'), [(21, '21 asked for'), (None, 'none asked for')])
def test_a_classifier_of_other_classes_is_left_out(published, num_classes, wanted):
    converted, left_out, said = convert_deeplabv2(published, num_classes)
    assert said == f'classifier of 19 classes left out, {wanted}'
    assert len(left_out) == 8 and all(name.startswith('layer5.') for name in left_out)
    assert len(converted) == 520 and all(name.startswith('backbone.') for name in converted)


def test_other_tensors_are_named(published):
    trunk = {name: t for name, t in published.items() if 'layer5' not in name}
    converted, left_out, said = convert_deeplabv2({**trunk, 'fc.weight': torch.zeros(1)}, 19)
    assert (len(converted), left_out, said) == (520, ['fc.weight'], 'no classifier in the checkpoint')


@pytest.mark.parametrize('names', [['encoder.conv'], ['layer5.conv2d_list.0.weight'], []])
def test_a_foreign_checkpoint_is_told(names):
    with pytest.raises(ValueError, match=f'no known name among {len(names)} .*layer1.0.conv1.weight'):
        convert_deeplabv2({name: torch.zeros(19, 1, 1, 1) for name in names}, 19)


def test_the_fitted_first_layer_sees_rgb_as_the_published_one_saw_bgr():
    """conv1 and bn1 on the same photograph, prepared in both ways, in evaluation mode."""
    torch.manual_seed(0)
    tensors = {
        'backbone.conv1.weight': torch.randn(64, 3, 7, 7) * 0.1,
        'backbone.bn1.running_mean': torch.randn(64) * 50,
        'backbone.bn1.running_var': torch.rand(64) * 4000 + 1000,
        'backbone.layer1.0.conv1.weight': torch.randn(2, 2),
    }
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    fitted = fit_first_layer(tensors, MEAN, STD)
    assert all(torch.equal(tensors[name], before[name]) for name in before)
    assert fitted['backbone.layer1.0.conv1.weight'] is tensors['backbone.layer1.0.conv1.weight']

    bgr = torch.randint(0, 256, (1, 3, 64, 64)).double()

    def stem(state, image):
        weight, mean, var = (
            state[f'backbone.{n}'].double() for n in ('conv1.weight', 'bn1.running_mean', 'bn1.running_var')
        )
        return F.batch_norm(F.conv2d(image, weight), mean, var, eps=1e-5)  # no padding: the interior

    def plane(values):
        return torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)

    expected = stem(tensors, bgr - plane(PUBLISHED_MEAN))
    got = stem(fitted, (bgr.flip(1) - plane(MEAN)) / plane(STD))
    assert (got - expected).abs().max() < 1e-4 * expected.abs().max()
    # and the kernel keeps its size
    ratio = fitted['backbone.conv1.weight'].norm() / tensors['backbone.conv1.weight'].norm()
    assert ratio.item() == pytest.approx(1, abs=0.02)
    with pytest.raises(ValueError, match=r'no backbone.bn1.running_var, expected all of'):
        fit_first_layer({n: t for n, t in tensors.items() if 'var' not in n}, MEAN, STD)


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('dl', repository / 'tools/model_converters/deeplabv2.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tool(tool, published, tmp_path, capsys, repository):
    cfg = Config.fromfile(repository / 'configs/_base_/models/deeplabv2_r101.py').model.data_preprocessor
    assert (tuple(cfg.mean), tuple(cfg.std), cfg.bgr_to_rgb) == (PUBLISHED_MEAN, (1, 1, 1), False)
    source, target = tmp_path / 'a.pth', tmp_path / 'out/b.pth'
    torch.save({f'Scale.{name}': tensor for name, tensor in published.items()}, source)
    tool.main([str(source), str(target), '--num-classes', '21'])
    out = capsys.readouterr().out
    assert f'520 tensors written to {target}: 520 of the trunk, 0 of the head' in out
    assert 'classifier of 19 classes left out, 21 asked for' in out and out.count('  left out: Scale.layer5') == 8
    state = torch.load(target, weights_only=True)['state_dict']
    assert all(torch.equal(state[f'backbone.{n}'], t) for n, t in published.items() if 'layer5' not in n)

    tool.main([str(source), str(target), '--no-head', '--input', 'rgb'])
    assert 'classifier of 19 classes left out, none asked for' in capsys.readouterr().out
    state = torch.load(target, weights_only=True)['state_dict']
    changed = [n for n, t in published.items() if 'layer5' not in n and not torch.equal(state[f'backbone.{n}'], t)]
    assert changed == ['conv1.weight', 'bn1.running_mean', 'bn1.running_var']


def test_tool_errors_are_one_line(tool, tmp_path, capsys):
    torch.save({'encoder.weight': torch.zeros(1)}, tmp_path / 'a.pth')
    for source, told in (('a.pth', 'no known name among 1 (encoder.weight)'), ('none.pth', 'no such file')):
        with pytest.raises(SystemExit):
            tool.main([str(tmp_path / source), str(tmp_path / 'b.pth')])
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith('error: DeepLabv2 checkpoint') and told in line
    assert not (tmp_path / 'b.pth').exists()
    with pytest.raises(DataNotFoundError):
        tool.read_state_dict(tmp_path / 'none.pth', 'x')
