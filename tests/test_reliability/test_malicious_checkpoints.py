"""A checkpoint that runs code when it is unpickled is refused in one line at every door, and nothing of it runs.

Every test runs with the environment variable that turns off torch's own default.
"""

import ast
import importlib.util
import sys
import warnings
from pathlib import Path

import pytest
import torch
from malicious_cases import attacks, placed, read_unchecked, write_all
from mmengine.config import Config
from mmengine.model import PretrainedInit
from mmengine.runner import CheckpointLoader, load_checkpoint
from torch import nn

from mmssl.apis.any_model import build_model
from mmssl.apis.config import load_config
from mmssl.apis.mask_prediction import checkpoint_classes
from mmssl.apis.norm_mixture import read_norm_mixtures
from mmssl.apis.resuming import find_damage
from mmssl.apis.segmentor_workload import load_weights
from mmssl.errors import DataError, one_line
from mmssl.pruning.ticket import Ticket
from mmssl.tensor_file import read_state_dict, read_tensor_file
from mmssl.transfer.sources import read_checkpoint

ROOT = Path(__file__).resolve().parents[2]
KIND = 'malicious checkpoints'
STREETS = """
_base_ = ['{root}/configs/erfnet/erfnet_1xb8-150i_streets-192x256.py']
crop = (64, 64)
data = dict(num_images=4, size=crop)
model = dict(data_preprocessor=dict(size=crop))
train_pipeline = [dict(type='mmssl.LoadStreetScene'), dict(type='PackSegInputs')]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(**data, pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=data)
test_dataloader = val_dataloader
train_cfg = dict(max_iters=1, val_interval=1)
val_cfg = val_evaluator = None
val_dataloader = None
"""
DETECTOR = {
    'type': 'FCOS',
    'backbone': {'type': 'ResNet', 'depth': 18},
    'neck': {'type': 'FPN', 'in_channels': [64, 128, 256, 512], 'out_channels': 16, 'num_outs': 5},
    'bbox_head': {'type': 'FCOSHead', 'num_classes': 2, 'in_channels': 16, 'feat_channels': 32, 'stacked_convs': 1},
}
CLASSIFIER = {
    'type': 'ImageClassifier',
    'backbone': {'type': 'ResNet', 'depth': 18},
    'neck': {'type': 'GlobalAveragePooling'},
    'head': {'type': 'LinearClsHead', 'num_classes': 2, 'in_channels': 512},
}


@pytest.fixture(autouse=True)
def unsafe_default(monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    monkeypatch.delenv('MMSSL_TRACEBACK', raising=False)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(2, 2)


def load_tool(name: str):
    spec = importlib.util.spec_from_file_location(f'tool_{Path(name).stem}', ROOT / 'tools' / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_tool(module, *arguments) -> None:
    """Call a tool with a command line; its one line of error is raised."""
    before = sys.argv
    sys.argv = [module.__name__, *map(str, arguments)]
    try:
        module.main()
    finally:
        sys.argv = before


READERS = {
    'read_tensor_file': lambda path, out: read_tensor_file(path, 'file'),
    'read_state_dict': lambda path, out: read_state_dict(path, 'file'),
    'a source of transfer rules': lambda path, out: read_checkpoint(path),
    'CheckpointLoader of mmengine': lambda path, out: CheckpointLoader.load_checkpoint(str(path), 'cpu'),
    'load_checkpoint of mmengine': lambda path, out: load_checkpoint(Small(), str(path)),
    'init_cfg of the whole': lambda path, out: PretrainedInit(str(path))(Small()),
    'init_cfg of the backbone': lambda path, out: PretrainedInit(str(path), 'backbone.')(Small().backbone),
    'a ticket': lambda path, out: Ticket.load(path),
    'weights of the benchmark': lambda path, out: load_weights(Small(), path),
    'classes of a cut-out model': lambda path, out: checkpoint_classes(str(path)),
    'mixtures of normalisation': lambda path, out: read_norm_mixtures(str(path)),
}
TOOLS = {
    'model_converters/erfnet.py': lambda path, out: (path, out),
    'model_converters/deeplabv2.py': lambda path, out: (path, out),
    'model_converters/semi_supervised.py': lambda path, out: (path, out),
    'misc/publish_model.py': lambda path, out: (path, out, '--network', 'whole', '--format', 'both'),
    'transfer_weights.py': lambda path, out: ('--inspect', path),
    'analysis_tools/sparsity.py': lambda path, out: ('--restore', path, '--out', out),
    'analysis_tools/plot_norm_mixture.py': lambda path, out: (path, '--out', out),
}


def refusal(call, capsys) -> str:
    """The one line with which a call refuses."""
    capsys.readouterr()
    try:
        call()
    except DataError as error:
        return one_line(error) if '\n' not in str(error) else 'several lines'
    except SystemExit as stop:
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error:')]
        return lines[0] if stop.code == 1 and len(lines) == 1 else f'{stop.code}, {len(lines)} lines'
    return 'nothing refused'


@pytest.fixture
def files(tmp_path):
    """Every attack, and the file that it would write."""
    marker = tmp_path / 'it_ran'
    state = {'backbone.weight': torch.zeros(2, 2), 'backbone.bias': torch.zeros(2)}
    return write_all(tmp_path / 'files', state, marker), marker


def test_the_attacks_would_work(files):
    paths, marker = files
    assert len(paths) == 39
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for path in paths:
            if 'weights_(plain_pickle)' in path.name and 'before' not in path.name and 'beside' not in path.name:
                continue  # the plain pickle has no state_dict, where this attack stands
            read_unchecked(path)
            assert marker.is_file(), path.name
            marker.unlink()


@pytest.mark.faults
@pytest.mark.parametrize('door', READERS)
def test_readers_refuse_every_attack(files, tmp_path, capsys, count_faults, door):
    paths, marker = files
    lines = {path: refusal(lambda path=path: READERS[door](path, tmp_path / 'out'), capsys) for path in paths}
    survived = [path for path, line in lines.items() if str(path) in line and 'weights_only' not in line.split(':')[-1]]
    assert not marker.exists()
    count_faults(KIND, len(paths), len(survived))


@pytest.mark.faults
@pytest.mark.parametrize('door', TOOLS)
def test_tools_refuse_every_attack(files, tmp_path, capsys, count_faults, door):
    paths, marker = files
    tool, out = load_tool(door), tmp_path / 'out.pth'
    lines = {path: refusal(lambda path=path: run_tool(tool, *TOOLS[door](path, out)), capsys) for path in paths}
    survived = [path for path, line in lines.items() if str(path) in line]
    assert not marker.exists()
    assert list(tmp_path.glob('out*')) == []
    count_faults(KIND, len(paths), len(survived))


def test_a_refusal_names_what_is_asked_for_and_does_not_advise_to_trust(files):
    paths, _ = files
    with pytest.raises(DataError) as caught:
        read_tensor_file(paths[1], 'checkpoint')
    assert str(caught.value) == (
        f'checkpoint {paths[1]}: damaged or no such file: it asks for exec, tensors and plain values expected; '
        'nothing of it was run'
    )
    for path in paths:
        assert find_damage(path) is None or 'trust' not in find_damage(path)


@pytest.fixture(scope='module')
def street_config(tmp_path_factory):
    path = tmp_path_factory.mktemp('config') / 'streets.py'
    path.write_text(STREETS.format(root=ROOT))
    return path


@pytest.fixture(scope='module')
def trained(street_config, tmp_path_factory):
    """A work dir with a real checkpoint."""
    folder = tmp_path_factory.mktemp('run')
    run_tool(load_tool('train.py'), street_config, '--work-dir', folder)
    return folder / 'iter_1.pth'


@pytest.fixture
def attack(trained, tmp_path, fault_number):
    """A function that writes the real checkpoint with attacks in it: the files, and what they would write."""
    marker = tmp_path / 'it_ran'

    def write(state=None) -> list[Path]:
        content = read_tensor_file(trained, 'checkpoint')
        if state is not None:
            content['state_dict'] = state
        paths = []
        for index, each in enumerate(attacks(marker).values()):
            places = placed(each, content['state_dict'])
            place = list(places)[index % 4]
            paths.append(tmp_path / f'attack_{index}.pth')
            torch.save(content | places[place], paths[-1])
        return paths[3 : 3 + fault_number(1, 4)]

    return write, marker


# What a config says to have a file read.
INIT = "init_cfg=dict(type='Pretrained', checkpoint={path!r}{more})"
TEXTS = {
    'load_from': 'load_from = {path!r}',
    'init_cfg of the backbone': f'model = dict(backbone=dict({INIT}))'.replace('{more}', ", prefix='backbone.'"),
    'init_cfg of the whole': f'model = dict({INIT})'.replace('{more}', ''),
    'transfer rule': "custom_hooks = [dict(type='mmssl.WeightTransferHook', "
    "rules=[dict(source={path!r}, modules='backbone')])]",
    'ticket': "custom_hooks = [dict(type='mmssl.LotteryTicketHook', ticket={path!r})]",
}


@pytest.mark.faults
@pytest.mark.parametrize('door', ['resume', *TEXTS])
def test_training_refuses(street_config, attack, tmp_path, capsys, count_faults, door):
    write, marker = attack
    tool, paths, lines = load_tool('train.py'), write(), []
    for path in paths:
        config, options = street_config, ('--resume', path)
        if door != 'resume':
            config, options = tmp_path / 'door.py', ()
            config.write_text(f'_base_ = [{str(street_config)!r}]\n{TEXTS[door].format(path=str(path))}\n')
        command = (config, '--work-dir', tmp_path / 'run', *options)
        lines.append(refusal(lambda command=command: run_tool(tool, *command), capsys))
    assert not marker.exists()
    count_faults(KIND, len(paths), sum(str(path) in line for path, line in zip(paths, lines, strict=True)))


@pytest.mark.faults
def test_testing_refuses(street_config, attack, tmp_path, capsys, count_faults):
    write, marker = attack
    tool, paths = load_tool('test.py'), write()
    command = (street_config, '--work-dir', tmp_path / 'run')
    lines = [refusal(lambda path=path: run_tool(tool, command[0], path, *command[1:]), capsys) for path in paths]
    assert not marker.exists()
    count_faults(KIND, len(paths), sum(str(path) in line for path, line in zip(paths, lines, strict=True)))


def hosts() -> dict:
    """The hosts' own doors: the model's config, and the call with it and a file."""
    from mmdet.apis import DetInferencer, init_detector
    from mmpretrain import ImageClassificationInferencer, get_model
    from mmseg.apis import MMSegInferencer, init_model

    detector = Config({'default_scope': 'mmdet', 'model': DETECTOR})
    classifier = Config({'default_scope': 'mmpretrain', 'model': CLASSIFIER})
    return {
        'mmseg.init_model': ('mmseg', lambda cfg, path: init_model(cfg, path, device='cpu')),
        'mmseg.MMSegInferencer': ('mmseg', lambda cfg, path: MMSegInferencer(cfg, path, device='cpu')),
        'mmdet.init_detector': (detector, lambda cfg, path: init_detector(cfg, path, device='cpu')),
        'mmdet.DetInferencer': (detector, lambda cfg, path: DetInferencer(cfg, path, device='cpu')),
        'mmpretrain.get_model': (classifier, lambda cfg, path: get_model(cfg, pretrained=path)),
        'mmpretrain.ImageClassificationInferencer': (
            classifier,
            lambda cfg, path: ImageClassificationInferencer(cfg, pretrained=path),
        ),
    }


HOST_DOORS = (
    'mmseg.init_model',
    'mmseg.MMSegInferencer',
    'mmdet.init_detector',
    'mmdet.DetInferencer',
    'mmpretrain.get_model',
    'mmpretrain.ImageClassificationInferencer',
)


@pytest.mark.faults
@pytest.mark.parametrize('door', HOST_DOORS)
def test_hosts_refuse(street_config, attack, capsys, count_faults, door):
    config, call = hosts()[door]
    config = load_config(str(street_config)) if config == 'mmseg' else config
    write, marker = attack
    paths = write(build_model(config, door).state_dict())
    lines = [refusal(lambda path=path: call(config.copy(), str(path)), capsys) for path in paths]
    assert not marker.exists()
    count_faults(KIND, len(paths), sum(str(path) in line for path, line in zip(paths, lines, strict=True)))


@pytest.mark.faults
def test_the_config_in_a_checkpoint_is_not_run_when_it_is_resumed(
    street_config, trained, tmp_path, capsys, count_faults
):
    marker, path = tmp_path / 'it_ran', tmp_path / 'iter_1.pth'
    code = f'open({str(marker)!r}, "w").close()\ngpu_ids = [0]\n'
    Config.fromstring(code, file_format='.py')
    assert marker.is_file(), 'the attack would work'
    marker.unlink()
    content = read_tensor_file(trained, 'checkpoint')
    content['meta']['config'] = code
    torch.save(content, path)
    options = ('--work-dir', tmp_path / 'run', '--resume', path, '--cfg-options', 'train_cfg.max_iters=2')
    run_tool(load_tool('train.py'), street_config, *options)
    assert (tmp_path / 'run/iter_2.pth').is_file()
    output = capsys.readouterr()
    assert f'checkpoint {path}: the config in its meta is code; it is left out and not run' in output.out + output.err
    count_faults(KIND, 1, int(not marker.exists()))


@pytest.mark.faults
@pytest.mark.parametrize('host', ['mmseg', 'mmdet'])
def test_the_config_in_a_checkpoint_is_not_run_by_an_inferencer(tmp_path, capsys, count_faults, host):
    from mmdet.apis import DetInferencer
    from mmseg.apis import MMSegInferencer

    marker, path = tmp_path / 'it_ran', tmp_path / 'weights.pth'
    code = f'open({str(marker)!r}, "w").close()\n'
    content = {'state_dict': {'a': torch.zeros(1)}, 'meta': {'cfg': code}}
    inferencer = {'mmseg': MMSegInferencer, 'mmdet': DetInferencer}[host]
    survived = 0
    for hub in ({}, {'message_hub': {'runtime_info': {'cfg': code}}}):
        torch.save(content | hub, path)
        line = refusal(lambda: inferencer(model=None, weights=str(path), device='cpu'), capsys)
        survived += line == f'{path}: given without a config; the one in a checkpoint is code and is not run'
    assert not marker.exists()
    count_faults(KIND, 2, survived)


def test_weights_are_unpickled_in_one_place_and_only_there():
    found = {}
    for path in [*(ROOT / 'mmssl').rglob('*.py'), *(ROOT / 'tools').rglob('*.py')]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name.split('.')[0] for alias in node.names} | {getattr(node, 'module', None)}
                assert not names & {'pickle', 'dill', 'cloudpickle', 'joblib'}, path
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ('torch.load', 'torch.jit.load', 'np.load'):
                found.setdefault(path.relative_to(ROOT).as_posix(), []).append(ast.unparse(node))
            if isinstance(node, ast.keyword) and node.arg == 'weights_only':
                assert ast.unparse(node.value) == 'True', path
            assert not (isinstance(node, ast.keyword) and node.arg == 'allow_pickle' and node.value.value), path
    assert found == {'mmssl/tensor_file.py': ['torch.load']}
