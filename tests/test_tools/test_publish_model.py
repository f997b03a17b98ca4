"""tools/misc/publish_model.py: what is in the file, what its name says, and that every door reads it."""

import hashlib
import json

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import PretrainedInit
from mmengine.runner import CheckpointLoader, load_checkpoint
from mmseg.apis import init_model
from safetensors.torch import load_file

from mmssl.apis.any_model import build_model
from mmssl.apis.config import load_config
from mmssl.tensor_file import read_state_dict, write_tensor_file
from mmssl.transfer.sources import read_checkpoint

CONFIG = 'configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'
CLASSES = ('sky', 'road')
PALETTE = [(0, 0, 0), (255, 0, 0)]


@pytest.fixture(scope='module')
def config(request):
    return str(request.config.rootpath / CONFIG)


@pytest.fixture(scope='module')
def state(config):
    torch.manual_seed(1)
    return build_model(load_config(config), config).state_dict()


def training_checkpoint(state: dict) -> dict:
    """As mmengine writes it, with what must not be published."""
    buffer = HistoryBuffer()
    buffer.update(1.0)
    hub = {'log_scalars': {'loss': buffer}, 'runtime_info': {'cfg': 'work_dir = "/home/someone"'}, 'resumed_keys': {}}
    return {
        'meta': {
            'cfg': 'data_root = "/home/someone"',
            'time': 'now',
            'experiment_name': 'secret',
            'dataset_meta': {'classes': CLASSES, 'palette': PALETTE, 'root': '/home/someone'},
        },
        'state_dict': state,
        'message_hub': hub,
        'optimizer': {'state': {0: {'exp_avg': torch.ones(1000)}}, 'param_groups': [{'lr': 0.1}]},
        'param_schedulers': [{'last_step': 3}],
    }


@pytest.fixture
def checkpoint(state, tmp_path):
    torch.save(training_checkpoint(state), tmp_path / 'iter_3.pth')
    return tmp_path / 'iter_3.pth'


def test_weights_and_classes_and_nothing_else(run_tool, checkpoint, state, tmp_path):
    status, out, err = run_tool('misc/publish_model.py', checkpoint, 'out/erfnet', '--format', 'both')
    assert (status, err) == (0, '')
    paths = {path.suffix: path for path in (tmp_path / 'out').iterdir()}
    assert paths.keys() == {'.pth', '.safetensors'}
    for path in paths.values():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.stem == f'erfnet-{digest[:8]}'
        assert f'out/{path.name}: {path.stat().st_size:,} bytes' in out
        assert b'/home/someone' not in path.read_bytes() and b'HistoryBuffer' not in path.read_bytes()
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        archive = torch.load(paths['.pth'], weights_only=True)
    finally:
        torch.serialization.add_safe_globals(allowed)
    meta = {'dataset_meta': {'classes': list(CLASSES), 'palette': [list(colour) for colour in PALETTE]}}
    assert archive.keys() == {'state_dict', 'meta'} and archive['meta'] == meta
    for found in (archive['state_dict'], load_file(paths['.safetensors'])):
        assert found.keys() == state.keys()
        assert all(
            torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in state.items()
        )


def test_the_same_weights_give_the_same_file(run_tool, checkpoint, state, tmp_path):
    run_tool('misc/publish_model.py', checkpoint, 'a/net.pth', '--format', 'both')
    other = training_checkpoint({f'module.{name}': value for name, value in state.items()})
    other['optimizer'] = {}
    torch.save(other, tmp_path / 'iter_4.pth')
    run_tool('misc/publish_model.py', 'iter_4.pth', 'b/net.safetensors', '--format', 'both')
    names = [sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in 'ab']
    assert names[0] == names[1] and len(names[0]) == 2


@pytest.mark.parametrize('kind', ['pth', 'safetensors'])
def test_every_door_reads_it(run_tool, checkpoint, config, state, tmp_path, kind):
    run_tool('misc/publish_model.py', checkpoint, 'out/erfnet', '--format', kind)
    (path,) = (tmp_path / 'out').iterdir()
    wanted = part = {name: value for name, value in state.items() if name.startswith('backbone.')}
    fresh = build_model(load_config(config), config)
    load_checkpoint(fresh, str(path))  # load_from and the hosts' APIs
    assert all(torch.equal(value, state[name]) for name, value in fresh.state_dict().items())
    fresh = build_model(load_config(config), config)
    PretrainedInit(str(path), 'backbone.')(fresh.backbone)
    assert all(torch.equal(fresh.state_dict()[name], value) for name, value in part.items())
    for found in (read_checkpoint(path).tensors, read_state_dict(path, 'checkpoint')):
        assert found.keys() == state.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert CheckpointLoader.load_checkpoint(str(path))['meta']['dataset_meta']['classes'] == list(CLASSES)
    model = init_model(config, str(path), device='cpu')
    assert model.dataset_meta['classes'] == list(CLASSES)
    # What is published can be published again, and converted to either format.
    status, out, _ = run_tool(
        'misc/publish_model.py', path, 'again/backbone', '--network', 'backbone', '--format', 'both'
    )
    assert status == 0 and len(out.splitlines()) == 2
    (again,) = (tmp_path / 'again').glob('*.safetensors')
    assert load_file(again).keys() == part.keys()


def test_tools_test_reads_safetensors(run_tool, checkpoint, config, tmp_path):
    run_tool('misc/publish_model.py', checkpoint, 'out/erfnet', '--format', 'safetensors')
    (path,) = (tmp_path / 'out').iterdir()
    options = ('test_dataloader.dataset.num_images=2', 'test_dataloader.num_workers=0')
    options += ('test_dataloader.persistent_workers=False',)
    assert run_tool('test.py', config, path, '--work-dir', tmp_path / 'run', '--cfg-options', *options)[0] == 0
    assert json.loads((tmp_path / 'run/metrics.json').read_text())['checkpoint'] == str(path)


def semi_supervised(number: float = 1.0) -> dict:
    networks = ('student.', 'teacher.model.')
    state = {f'{prefix}head.weight': torch.full((2,), number * i) for i, prefix in enumerate(networks, 1)}
    return state | {'teacher.steps': torch.tensor(5)}


def test_of_several_networks_one_has_to_be_named(run_tool, tmp_path):
    torch.save({'state_dict': semi_supervised()}, tmp_path / 'semi.pth')
    status, _, err = run_tool('misc/publish_model.py', 'semi.pth', 'out/net')
    assert status == 1
    assert 'semi.pth: student and teacher in it, expected --network with one of them, or whole' in err
    for network, value in {'student': 1.0, 'teacher': 2.0}.items():
        assert run_tool('misc/publish_model.py', 'semi.pth', f'out/{network}', '--network', network)[0] == 0
        (path,) = (tmp_path / 'out').glob(f'{network}-*.pth')
        assert torch.load(path, weights_only=True)['state_dict']['head.weight'].tolist() == [value, value]
    assert run_tool('misc/publish_model.py', 'semi.pth', 'out/whole', '--network', 'whole')[0] == 0
    assert len(read_state_dict(next((tmp_path / 'out').glob('whole-*')), 'file')) == 3
    joint = {f'segmentor.{name}': value for name, value in semi_supervised().items()}
    torch.save({'state_dict': joint | {'tasks.rotation.head.weight': torch.zeros(4)}}, tmp_path / 'joint.pth')
    assert 'student and teacher in it' in run_tool('misc/publish_model.py', 'joint.pth', 'out/joint')[2]
    torch.save({'state_dict': {'segmentor.a': torch.zeros(1), 'tasks.b': torch.zeros(1)}}, tmp_path / 'tasks.pth')
    assert 'tasks.pth: segmentor in it' in run_tool('misc/publish_model.py', 'tasks.pth', 'out/tasks')[2]
    assert run_tool('misc/publish_model.py', 'tasks.pth', 'out/tasks', '--network', 'segmentor')[0] == 0


@pytest.mark.parametrize('tool', ['model_converters/semi_supervised.py'])
def test_converters_read_and_write_safetensors(run_tool, tmp_path, tool):
    write_tensor_file({'state_dict': semi_supervised()}, tmp_path / 'semi.safetensors')
    assert run_tool(tool, 'semi.safetensors', 'student.safetensors')[0] == 0
    assert load_file(tmp_path / 'student.safetensors')['head.weight'].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ('content', 'arguments', 'message'),
    [
        ({'meta': {}}, (), 'a.pth: no tensor in it, a state dict or a checkpoint with one expected'),
        ({'a': torch.zeros(1)}, ('--network', 'teacher'), 'a.pth: no student and teacher in the checkpoint'),
        ({'a': torch.zeros(1)}, ('--network', 'backbone'), 'a.pth: no name starts with backbone.'),
    ],
)
def test_mistakes(run_tool, tmp_path, content, arguments, message):
    torch.save(content, tmp_path / 'a.pth')
    status, _, err = run_tool('misc/publish_model.py', 'a.pth', 'out/a', *arguments)
    assert status == 1 and message in err
    assert not (tmp_path / 'out').exists()
    assert 'checkpoint b.pth: no such file' in run_tool('misc/publish_model.py', 'b.pth', 'out/b')[2]


def test_classes_of_older_checkpoints(run_tool, tmp_path):
    meta = {'CLASSES': CLASSES, 'PALETTE': PALETTE, 'config': 'import os'}
    torch.save({'state_dict': {'a': torch.zeros(1)}, 'meta': meta}, tmp_path / 'a.pth')
    run_tool('misc/publish_model.py', 'a.pth', 'out/a')
    (path,) = (tmp_path / 'out').iterdir()
    found = torch.load(path, weights_only=True)['meta']
    assert found == {'dataset_meta': {'classes': ['sky', 'road'], 'palette': [[0, 0, 0], [255, 0, 0]]}}
