"""Train with a teacher, take both networks out, test: tools/train.py, the converter and tools/test.py together."""

import importlib.util
import json
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from mmssl.errors import DataError
from mmssl.transfer.semi_supervised_checkpoints import network_weights

PLAIN = """
_base_ = [
    '{root}/configs/_base_/models/erfnet.py', '{root}/configs/_base_/datasets/streets_192x256.py',
    '{root}/configs/_base_/schedules/adam_600i.py', '{root}/configs/_base_/default_runtime.py']
model = dict(
    data_preprocessor=dict(size=(64, 64)),
    backbone=dict(widths=(8, 16, 32)),
    decode_head=dict(num_classes=11, in_channels=32))
custom_hooks = [dict(type='mmssl.ClassWeightHook', cache_dir=None), dict(type='mmssl.FoldNormHook')]
data = dict(num_images=4, size=(64, 64))
train_pipeline = [
    dict(type='mmssl.LoadStreetScene'), dict(type='RandomFlip', prob=0.5), dict(type='PackSegInputs')]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(**data, pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=data)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.01))
train_cfg = dict(max_iters=8, val_interval=4)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=4, max_keep_ckpts=5, save_best='mIoU'))
"""
SEMI = """
_base_ = ['./plain.py', '{root}/configs/_base_/semi/classmix.py']
model = dict(_base_.semi, _delete_=True, segmentor=_base_.model, burn_in=4, teacher=dict(alpha=0.9, ramp=False))
train_dataloader = dict(
    sampler=dict(type='mmssl.PairedInfiniteSampler'),
    dataset=dict(
        _delete_=True,
        type='mmssl.PairedDataset',
        labeled=_base_.train_dataloader.dataset,
        unlabeled=dict(_base_.train_dataloader.dataset, seed=1, pipeline=[
            dict(type='mmssl.LoadStreetScene'), dict(type='mmssl.PackUnlabeledInputs')])))
val_cfg = dict(type='mmssl.StudentTeacherValLoop')
custom_hooks = [*_base_.custom_hooks, *_base_.semi_hooks]
visualizer = dict(name='semi_supervised_converter')  # one of another name may live in this process
"""
CONVERTER = 'model_converters/semi_supervised'


def call(repository, folder, tool: str, *arguments) -> str:
    """Call main() of a tool; returns the last line on standard error where it stops."""
    spec = importlib.util.spec_from_file_location(tool.replace('/', '_'), repository / f'tools/{tool}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv('MMSSL_TRACEBACK', raising=False)
        patch.setattr(sys, 'argv', [f'{tool}.py', *map(str, arguments)])
        module.main()


@pytest.fixture(scope='module')
def trained(repository, tmp_path_factory):
    """A folder with both configs, the checkpoints of 8 iterations, 4 of them a burn-in, and the converted networks."""
    folder = tmp_path_factory.mktemp('semi')
    (folder / 'plain.py').write_text(PLAIN.format(root=repository))
    (folder / 'semi.py').write_text(SEMI.format(root=repository))
    call(repository, folder, 'train', 'semi.py', '--work-dir', 'run')
    for network in ('student', 'teacher'):
        call(repository, folder, CONVERTER, 'run/iter_8.pth', f'new/{network}.pth', '--network', network)
    return folder


@pytest.fixture
def stops(repository, trained, capsys):
    """Call a tool, which must stop; returns its one line."""

    def stops(*arguments, tool=CONVERTER) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            call(repository, trained, tool, *arguments)
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error:')]
        assert stop.value.code == 1
        assert len(lines) == 1
        return lines[0]

    return stops


def test_the_log_names_both_networks(trained):
    rows = [json.loads(line) for path in trained.glob('run/*/vis_data/scalars.json') for line in path.open()]
    validations = [row for row in rows if 'mIoU' in row]
    assert ['teacher/mIoU' in row for row in validations] == [False, True]
    assert all(row['mIoU'] == row['student/mIoU'] for row in validations)
    losses = [row for row in rows if 'loss' in row]
    assert ['loss_unlabeled' in row for row in losses] == [False] * 4 + [True] * 4
    assert len(list(trained.glob('run/best_mIoU_iter_?.pth'))) == 1


@pytest.mark.parametrize('network', ['student', 'teacher'])
def test_one_network_fills_the_plain_segmentor(trained, network, mmseg_scope):
    content = torch.load(trained / f'new/{network}.pth', weights_only=True)
    assert set(content) == {'state_dict'}
    model = MODELS.build(Config.fromfile(trained / 'plain.py').model)
    model.load_state_dict(content['state_dict'], strict=True)
    whole = torch.load(trained / 'run/iter_8.pth', weights_only=True)['state_dict']
    prefix = {'student': 'student.', 'teacher': 'teacher.model.'}[network]
    assert all(torch.equal(value, whole[prefix + name]) for name, value in model.state_dict().items())
    assert int(whole['teacher.steps']) == 4


def masks(repository, folder, config: str, checkpoint: str, name: str, *options) -> tuple[np.ndarray, float]:
    """What tools/test.py predicts, (4, 64, 64), and its mIoU."""
    out, work_dir = folder / f'masks-{name}', folder / f'test-{name}'
    call(repository, folder, 'test', config, checkpoint, '--out', out, '--work-dir', work_dir, *options)
    pictures = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(out.glob('*.png'))]
    return np.stack(pictures), json.loads((work_dir / 'metrics.json').read_text())['mIoU']


def test_plain_and_semi_supervised_recipes_predict_the_same(repository, trained):
    found = {}
    for network in ('student', 'teacher'):
        plain = masks(repository, trained, 'plain.py', f'new/{network}.pth', f'plain-{network}')
        options = ('--cfg-options', f'model.predict_on={network}')
        semi = masks(repository, trained, 'semi.py', 'run/iter_8.pth', f'semi-{network}', *options)
        assert plain[0].shape == (4, 64, 64)
        assert np.array_equal(plain[0], semi[0])
        assert plain[1] == semi[1]
        assert len(np.unique(plain[0])) > 1
        found[network] = plain
    assert not np.array_equal(found['student'][0], found['teacher'][0])
    # and these are the numbers of the last validation, which does not fold the norms
    rows = [json.loads(line) for path in trained.glob('run/*/vis_data/scalars.json') for line in path.open()]
    last = [row for row in rows if 'teacher/mIoU' in row][-1]
    for network, (_, miou) in found.items():
        assert miou == pytest.approx(last[f'{network}/mIoU'], abs=0.05)


def test_a_teacher_within_the_burn_in_is_refused(stops, trained):
    line = stops('run/iter_4.pth', 'new/no.pth', '--network', 'teacher')
    assert 'iter_4.pth' in line and 'the teacher of the checkpoint was never updated (burn-in?)' in line
    assert not (trained / 'new/no.pth').exists()


def test_a_teacher_within_the_burn_in_is_not_tested(stops, trained):
    """It is the random network that training began with; its numbers would look like a result."""
    options = ('--work-dir', trained / 'early', '--cfg-options', 'model.predict_on=teacher')
    line = stops('semi.py', 'run/iter_4.pth', *options, tool='test')
    assert "predict_on='teacher': the teacher was never synchronised" in line


def test_the_student_within_the_burn_in_is_there(repository, trained, capsys):
    call(repository, trained, CONVERTER, 'run/iter_4.pth', 'new/early.pth')
    early = torch.load(trained / 'new/early.pth', weights_only=True)['state_dict']
    assert capsys.readouterr().out == f'student: {len(early)} tensors written to new/early.pth\n'
    whole = torch.load(trained / 'run/iter_4.pth', weights_only=True)['state_dict']
    assert all(torch.equal(value, whole[f'student.{name}']) for name, value in early.items())


def test_another_checkpoint_is_refused(stops):
    line = stops('new/student.pth', 'new/no.pth')
    assert 'new/student.pth' in line
    assert 'no student and teacher in the checkpoint, expected one of a SemiSupervisedSegmentor' in line


def test_a_missing_checkpoint_is_one_line(stops):
    assert 'nowhere.pth: no such file' in stops('nowhere.pth', 'new/no.pth')


def test_another_network_is_named():
    with pytest.raises(ValueError, match="network 'both', expected one of"):
        network_weights({'teacher.steps': torch.ones(())}, 'both')
    with pytest.raises(DataError, match='expected one of a SemiSupervisedSegmentor'):
        network_weights({'backbone.weight': torch.ones(1)}, 'student')


def test_names_that_only_begin_alike_stay_out():
    state = {
        'student.backbone.weight': torch.ones(1),
        'teacher.model.backbone.weight': torch.zeros(1),
        'teacher.steps': torch.tensor(3),
        'strong_view.alignment.running': torch.ones(2),
    }
    assert network_weights(state, 'student') == {'backbone.weight': state['student.backbone.weight']}
    assert network_weights(state, 'teacher') == {'backbone.weight': state['teacher.model.backbone.weight']}


def test_networks_of_a_training_with_pretext_tasks():
    """The segmentor's names stand behind one more prefix, and pretext heads stay out."""
    plain = {'backbone.weight': torch.ones(1), 'decode_head.weight': torch.zeros(1)}
    inner = {
        **{f'student.{name}': value for name, value in plain.items()},
        **{f'teacher.model.{name}': value + 1 for name, value in plain.items()},
        'teacher.steps': torch.tensor(3),
    }
    heads = {'tasks.colour.decode_head.weight': torch.ones(1), 'balance.weight': torch.ones(2)}
    both = {**{f'segmentor.{name}': value for name, value in inner.items()}, **heads}
    assert network_weights(both, 'student') == plain
    assert network_weights(both, 'teacher') == {name: value + 1 for name, value in plain.items()}
    joint = {**{f'segmentor.{name}': value for name, value in plain.items()}, **heads}
    assert network_weights(joint, 'segmentor') == plain
    both['segmentor.teacher.steps'] = torch.tensor(0)
    with pytest.raises(DataError, match='x.pth: the teacher of the checkpoint was never updated'):
        network_weights(both, 'teacher', 'x.pth')
    with pytest.raises(DataError, match='x.pth: student and teacher in the checkpoint, expected one of a MultiTask'):
        network_weights(both, 'segmentor', 'x.pth')
    with pytest.raises(DataError, match='x.pth: no segmentor with pretext tasks in the checkpoint, expected one of'):
        network_weights(inner, 'segmentor', 'x.pth')
    with pytest.raises(DataError, match='no student and teacher in the checkpoint, expected one of a SemiSupervised'):
        network_weights(joint, 'student')


def test_the_segmentor_of_a_training_with_pretext_tasks_is_written(repository, tmp_path, capsys):
    state = {'segmentor.backbone.weight': torch.ones(2), 'tasks.colour.decode_head.weight': torch.ones(1)}
    torch.save({'state_dict': state}, tmp_path / 'joint.pth')
    call(repository, tmp_path, CONVERTER, 'joint.pth', 'plain.pth', '--network', 'segmentor')
    assert capsys.readouterr().out == 'segmentor: 1 tensors written to plain.pth\n'
    content = torch.load(tmp_path / 'plain.pth', weights_only=True)['state_dict']
    assert list(content) == ['backbone.weight'] and torch.equal(content['backbone.weight'], torch.ones(2))
