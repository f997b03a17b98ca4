"""What of a checkpoint reaches a model is counted, and a load that leaves much of it random is an error."""

import forked_runs
import loading_cases
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModel, BaseModule, PretrainedInit
from mmengine.runner import Runner, load_checkpoint
from torch import nn

from mmssl.engine.hooks import PartialLoadHook
from mmssl.errors import DataError
from mmssl.partial_loading import LoadError, allow_partial, copy_state_dict, load_state_dict
from mmssl.safetensors_file import safetensors_bytes


class Net(BaseModule):
    """Six tensors and a counter in the backbone, two in the head."""

    def __init__(self, classes: int = 3, init_cfg=None):
        super().__init__(init_cfg)
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        self.head = nn.Conv2d(4, classes, 1)


def saved(tmp_path, state, name='a.pth') -> str:
    torch.save({'state_dict': state}, tmp_path / name)
    return str(tmp_path / name)


def part(state: dict, prefix: str) -> dict:
    return {name: value for name, value in state.items() if name.startswith(prefix)}


def test_counts():
    state = Net().state_dict()
    del state['backbone.1.num_batches_tracked'], state['backbone.0.bias']
    state |= {'head.weight': torch.zeros(5, 4, 1, 1), 'fc.weight': torch.zeros(1)}
    model = Net()
    loaded = copy_state_dict(model, state)
    assert (loaded.total, loaded.matched) == (8, 6)
    assert (loaded.missing, loaded.unexpected) == (['backbone.0.bias'], ['fc.weight'])
    assert len(loaded.misfits) == 1 and 'head.weight' in loaded.misfits[0]
    assert str(loaded) == '6 of 8 tensors loaded, 1 missing, 1 unexpected, 1 of another shape'
    assert torch.equal(model.backbone[0].weight, state['backbone.0.weight'])


def test_nothing_that_fits_is_an_error_in_one_line(tmp_path):
    path = saved(tmp_path, {f'encoder.{name}': value for name, value in Net().state_dict().items()})
    with pytest.raises(LoadError) as caught:
        load_checkpoint(Net(), path)
    assert str(caught.value) == (
        f'checkpoint {path}: 0 of 8 tensors loaded, 8 missing, 9 unexpected, 0 of another shape of Net; expected names '
        'and shapes of the model; first missing backbone.0.weight, first unexpected encoder.backbone.0.weight; rules '
        'of mmssl.WeightTransferHook take parts of a checkpoint, mmssl.PartialLoadHook allows a partial load'
    )
    model = Net()
    allow_partial(model, 0, ['*'])
    with pytest.raises(DataError, match='0 of 8 tensors loaded'):  # whatever is allowed
        load_checkpoint(model, path)


@pytest.mark.parametrize('state', [{}, {'head.weight': torch.zeros(1), 'head.bias': torch.zeros(1)}])
def test_empty_or_of_other_shapes_altogether(state):
    with pytest.raises(LoadError, match='0 of 8 tensors loaded'):
        load_state_dict(Net(), state)


def test_half_of_the_model_is_the_least(tmp_path):
    state = Net().state_dict()
    names = ['backbone.0.weight', 'backbone.0.bias', 'head.weight', 'head.bias']
    load_state_dict(Net(), {name: state[name] for name in names})
    quarter = {name: state[name] for name in names[:2]}
    with pytest.raises(LoadError, match='2 of 8 tensors loaded, .* expected at least 50% of the model; first missing'):
        load_state_dict(Net(), quarter)
    model = Net()
    allow_partial(model, 0.25)
    load_state_dict(model, quarter)
    assert torch.equal(model.backbone[0].bias, state['backbone.0.bias'])
    with pytest.raises(ValueError, match='least=1.5, expected 0 to 1'):
        allow_partial(model, 1.5)


def test_another_shape_is_an_error_unless_it_is_named(tmp_path):
    state = Net(classes=5).state_dict()
    with pytest.raises(LoadError, match='expected the same shapes: size mismatch for head.weight.*PartialLoadHook'):
        load_state_dict(Net(), state)
    model = Net()
    allow_partial(model, 0.5, ['head.weight'])
    with pytest.raises(LoadError, match='expected the same shapes: size mismatch for head.bias'):
        load_state_dict(model, state)
    allow_partial(model, 0.5, ['head.*'])
    before = model.head.weight.clone()
    load_state_dict(model, state)
    assert torch.equal(model.head.weight, before)
    assert torch.equal(model.backbone[0].weight, state['backbone.0.weight'])


def test_strict_is_an_error_of_both_kinds():
    state = Net().state_dict()
    del state['head.bias']
    with pytest.raises(RuntimeError, match='7 of 8 .* expected the same names; first missing head.bias'):
        load_state_dict(Net(), state, strict=True)


def test_what_is_left_is_warned_of_with_all_names(tmp_path, capsys):
    MMLogger.get_instance('partial')
    state = Net().state_dict() | {'fc.weight': torch.zeros(1), 'fc.bias': torch.zeros(1)}
    del state['head.bias']
    path = saved(tmp_path, state)
    load_checkpoint(Net(), path, logger='current')
    output = ''.join(capsys.readouterr())
    assert f'checkpoint {path}: 7 of 8 tensors loaded, 1 missing, 2 unexpected, 0 of another shape of Net\n' in output
    assert 'missing: head.bias\nunexpected: fc.weight, fc.bias\n' in output


class Resizing(nn.Linear):
    """Resizes what it is given, as vision transformers do with their positions."""

    def _load_from_state_dict(self, state_dict, prefix, *args):
        state_dict[f'{prefix}weight'] = state_dict[f'{prefix}weight'][:2]
        super()._load_from_state_dict(state_dict, prefix, *args)


class Renaming(nn.Linear):
    def _load_from_state_dict(self, state_dict, prefix, *args):
        for name in ('weight', 'bias'):
            state_dict[f'{prefix}{name}'] = state_dict.pop(f'{prefix}old_{name}')
        super()._load_from_state_dict(state_dict, prefix, *args)


@pytest.mark.parametrize(
    ('module', 'state'),
    [
        (Resizing(3, 2, bias=False), {'weight': torch.ones(5, 3)}),
        (Renaming(3, 2), {'old_weight': torch.ones(2, 3), 'old_bias': torch.ones(2)}),
        (nn.DataParallel(nn.Linear(3, 2)), {'weight': torch.ones(2, 3), 'bias': torch.ones(2)}),
    ],
)
def test_modules_that_change_what_they_load(module, state):
    kept = {name: value.clone() for name, value in state.items()}
    load_state_dict(module, state)
    assert all(parameter.eq(1).all() for parameter in module.parameters())
    assert state.keys() == kept.keys() and all(torch.equal(state[name], kept[name]) for name in kept)


def test_a_module_without_weights_takes_anything():
    load_state_dict(nn.ReLU(), {'fc.weight': torch.zeros(1)})


def test_init_cfg(tmp_path):
    state = Net().state_dict()
    path = saved(tmp_path, state)
    model = Net(init_cfg={'type': 'Pretrained', 'checkpoint': path})
    model.init_weights()
    assert torch.equal(model.head.weight, state['head.weight'])
    backbone = Net().backbone
    PretrainedInit(path, 'backbone')(backbone)
    assert torch.equal(backbone[0].weight, state['backbone.0.weight'])
    with pytest.raises(LoadError) as caught:
        PretrainedInit(path, 'encoder.')(Net().backbone)
    assert str(caught.value).startswith(f"checkpoint {path}: 0 of 9 names start with 'encoder.', expected some; found")
    with pytest.raises(LoadError, match='0 of 6 tensors loaded'):  # the prefix is forgotten
        PretrainedInit(path)(Net().backbone)


class Toy(BaseModel):
    def __init__(self, classes: int):
        super().__init__()
        self.net = Net(classes)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return inputs


def runner(tmp_path, path, *hooks) -> Runner:
    return Runner(
        model=Toy(3), work_dir=str(tmp_path / 'run'), load_from=path, custom_hooks=list(hooks), experiment_name=path
    )


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_load_from_of_a_runner(tmp_path, suffix):
    path = tmp_path / f'toy.{suffix}'
    content = {'state_dict': Toy(3).state_dict()}
    path.write_bytes(safetensors_bytes(content)) if suffix == 'safetensors' else torch.save(content, path)
    run = runner(tmp_path, str(path))
    run.load_or_resume()
    assert all(torch.equal(value, content['state_dict'][name]) for name, value in run.model.state_dict().items())


def test_the_hook_allows_it(tmp_path):
    path = saved(tmp_path, Toy(7).state_dict())
    with pytest.raises(LoadError, match='6 of 8 .* same shapes: size mismatch for net.head.weight'):
        runner(tmp_path, path).load_or_resume()
    run = runner(tmp_path, path + '', PartialLoadHook(other_shapes=['net.head.*']))
    run.call_hook('before_run')
    run.load_or_resume()
    assert torch.equal(run.model.net.backbone[0].weight, torch.load(path)['state_dict']['net.backbone.0.weight'])
    few = saved(tmp_path, part(Toy(3).state_dict(), 'net.head'), 'few.pth')
    run = runner(tmp_path, few, PartialLoadHook(least=0.2))
    run.call_hook('before_run')
    run.load_or_resume()


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'least': 2}, 'least=2, expected 0 to 1'),
        ({'other_shapes': 'head.*'}, "other_shapes='head.\\*', expected a list of patterns"),
    ],
)
def test_mistakes_in_the_hook(settings, message):
    with pytest.raises(ValueError, match=f'PartialLoadHook: {message}'):
        PartialLoadHook(**settings)


def test_the_error_is_raised_on_every_rank(tmp_path):
    path = saved(tmp_path, {'fc.weight': torch.zeros(1)})
    address = 'http://127.0.0.1:9/net-abcdef01.pth'
    log = tmp_path / 'log'
    assert forked_runs.run_ranks(loading_cases.load_on_a_rank, path, address, log=log) == [0, 0]
    for rank in range(2):
        printed = log.with_name(f'log.{rank}').read_text()
        assert f'rank {rank}: file: checkpoint {path}: 0 of 2 tensors loaded' in printed
        assert f'rank {rank}: init_cfg: checkpoint {path}: 0 of 2 tensors loaded' in printed
        assert f"rank {rank}: prefix: checkpoint {path}: 0 of 1 names start with 'backbone.'" in printed
        assert f'rank {rank}: address: {address}: cannot be fetched' in printed
