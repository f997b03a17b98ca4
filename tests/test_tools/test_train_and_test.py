"""tools/train.py and tools/test.py as a user runs them: the good path, resume, and mistakes told in one line."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

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
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks = dict(checkpoint=dict(interval=2))
"""
FOLDER = """
_base_ = ['{root}/configs/erfnet/erfnet_1xb8-600i_folder-384x512.py']
crop = (64, 64)
model = dict(data_preprocessor=dict(size=crop))
train_pipeline = [
    dict(type='mmssl.LoadImage'), dict(type='mmssl.LoadSegAnnotations'), dict(type='PackSegInputs')]
train_dataloader = dict(
    batch_size=2, num_workers=2, dataset=dict(data_root='{data}', pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(data_root='{data}'))
test_dataloader = val_dataloader
train_cfg = dict(max_iters=2, val_interval=2)
"""


@pytest.fixture
def run(repository, tmp_path, monkeypatch, capsys):
    """Call a tool's main() with a command line; returns exit status and the last line on standard error."""

    def run(tool: str, *arguments) -> tuple[int, str]:
        spec = importlib.util.spec_from_file_location(f'tool_{tool}', repository / f'tools/{tool}.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv('MMSSL_TRACEBACK', raising=False)
        monkeypatch.setattr(sys, 'argv', [f'{tool}.py', *map(str, arguments)])
        capsys.readouterr()
        try:
            module.main()
        except SystemExit as stop:
            lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error:')]
            assert len(lines) == 1, 'expected one line'
            return stop.code, lines[0]
        return 0, ''

    return run


@pytest.fixture
def streets(repository, tmp_path):
    path = tmp_path / 'streets.py'
    path.write_text(STREETS.format(root=repository))
    return path


@pytest.fixture
def folder(repository, tmp_path):
    """A config over four black images with masks of two classes."""
    data = tmp_path / 'data'
    for part in ('images/train', 'images/val', 'masks/train', 'masks/val'):
        (data / part).mkdir(parents=True)
    for split in ('train', 'val'):
        for name in 'abcd':
            cv2.imwrite(str(data / f'images/{split}/{name}.png'), np.zeros((64, 64, 3), np.uint8))
            cv2.imwrite(str(data / f'masks/{split}/{name}.png'), np.eye(64, dtype=np.uint8))
    (data / 'classes.txt').write_text('ground\nline\n')
    path = tmp_path / 'own.py'
    path.write_text(FOLDER.format(root=repository, data=data))
    return path, data


def test_train_resume_and_test(run, streets, tmp_path):
    assert run('train', streets, '--work-dir', tmp_path / 'run') == (0, '')
    assert (
        run('train', streets, '--work-dir', tmp_path / 'run', '--resume', '--cfg-options', 'train_cfg.max_iters=4')[0]
        == 0
    )
    checkpoint = tmp_path / 'run/iter_4.pth'
    step = torch.load(checkpoint, weights_only=True)['optimizer']['state'][0]['step']
    assert int(step) == 4
    out, show = tmp_path / 'masks', tmp_path / 'pictures'
    status = run('test', streets, checkpoint, '--work-dir', tmp_path / 'run', '--out', out, '--show-dir', show)
    assert status == (0, '')
    metrics = json.loads((tmp_path / 'run/metrics.json').read_text())
    assert metrics['checkpoint'] == str(checkpoint)
    assert len(metrics['per_class']) == 11
    values = [row['IoU'] for row in metrics['per_class'].values() if row['IoU'] is not None]
    assert metrics['mIoU'] == pytest.approx(sum(values) / len(values), abs=0.01)
    masks = sorted(out.glob('*.png'))
    assert len(masks) == 4
    assert cv2.imread(str(masks[0]), cv2.IMREAD_UNCHANGED).shape == (64, 64)
    assert {path.stem for path in show.iterdir()} == {path.stem for path in masks} | {'sheet'}


@pytest.mark.parametrize('method', ['supervised', 'classmix'])
def test_recipes_of_the_quick_start_train(run, repository, tmp_path, method):
    recipe = repository / f'configs/classmix/{method}_erfnet_1xb4-700i_streets-1of25-64x96.py'
    options = ('train_cfg.max_iters=1', 'val_dataloader.dataset.num_images=8', 'default_hooks.checkpoint.interval=1')
    assert run('train', recipe, '--work-dir', tmp_path / 'run', '--cfg-options', *options) == (0, '')
    assert (tmp_path / 'run/iter_1.pth').is_file()


def test_resume_follows_a_moved_work_dir(run, streets, tmp_path):
    run('train', streets, '--work-dir', tmp_path / 'run')
    shutil.move(tmp_path / 'run', tmp_path / 'moved')
    options = ['--resume', '--cfg-options', 'train_cfg.max_iters=3']
    assert run('train', streets, '--work-dir', tmp_path / 'moved', *options)[0] == 0


def test_nothing_to_resume(run, streets, tmp_path):
    status, line = run('train', streets, '--work-dir', tmp_path / 'empty', '--resume')
    assert status == 1
    assert f'--resume: no checkpoint in {tmp_path / "empty"}' in line


def test_resume_auto_starts_at_zero_and_says_so(run, streets, tmp_path, capsys):
    work_dir = tmp_path / 'new'
    assert run('train', streets, '--work-dir', work_dir, '--resume', 'auto') == (0, '')
    told = f'--resume auto: no checkpoint in {work_dir}, the training starts at iteration 0'
    assert told in capsys.readouterr().out
    assert (
        run('train', streets, '--work-dir', work_dir, '--resume', 'auto', '--cfg-options', 'train_cfg.max_iters=3')[0]
        == 0
    )
    assert told not in capsys.readouterr().out
    assert (work_dir / 'iter_3.pth').is_file()


@pytest.mark.skipif(torch.cuda.is_available(), reason='the error is that of a machine without an accelerator')
def test_mixed_precision_without_an_accelerator(run, streets):
    status, line = run('train', streets, '--amp')
    assert status == 1
    assert '--amp: no accelerator found' in line


def test_a_missing_checkpoint(run, streets):
    assert run('test', streets, 'nowhere.pth') == (
        1,
        'error: checkpoint not found: nowhere.pth (MMSSL_TRACEBACK=1 shows where)',
    )


def test_a_checkpoint_of_another_network(run, streets, tmp_path):
    torch.save({'state_dict': {'conv1.weight': torch.zeros(3)}}, tmp_path / 'other.pth')
    status, line = run('test', streets, tmp_path / 'other.pth', '--work-dir', tmp_path / 'run')
    assert status == 1
    assert 'other.pth: 0 of' in line
    assert 'backbone.layers.1.conv.weight is missing' in line


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('train_dataloder = dict(batch_size=4)\n', "unknown config key 'train_dataloder', did you mean"),
        ('model = dict(backbone=dict(norm_cg=dict(type="BN")))\n', "unexpected keyword argument 'norm_cg'"),
        ('model = dict(backbone=dict(type="mmssl.ERFNetEncodr"))\n', 'mmssl.ERFNetEncodr is not in the'),
        ('model = dict(\n', 'was never closed'),
    ],
)
def test_mistakes_in_a_config(run, streets, text, message):
    streets.write_text(streets.read_text() + text)
    status, line = run('train', streets)
    assert status == 1
    assert message in line


def test_a_mistake_in_an_option(run, streets):
    status, line = run('train', streets, '--cfg-options', 'optim_wraper.optimizer.lr=1')
    assert status == 1
    assert "unknown config key 'optim_wraper', did you mean 'optim_wrapper'?" in line


def spoil(data: Path, fault: str) -> None:
    image, mask = data / 'images/train/b.png', data / 'masks/train/b.png'
    if fault == 'no root':
        shutil.rmtree(data)
    elif fault == 'empty split':
        for path in [*(data / 'images/train').iterdir(), *(data / 'masks/train').iterdir()]:
            path.unlink()
    elif fault == 'no mask':
        mask.unlink()
    elif fault == 'another size':
        cv2.imwrite(str(mask), np.zeros((32, 64), np.uint8))
    elif fault == 'colour':
        cv2.imwrite(str(mask), np.dstack([np.eye(64), np.zeros((64, 64)), np.ones((64, 64))]).astype(np.uint8))
    elif fault == '16 bit':
        cv2.imwrite(str(mask), np.full((64, 64), 300, np.uint16))
    elif fault == 'unknown id':
        cv2.imwrite(str(mask), np.full((64, 64), 2, np.uint8))
    elif fault == 'truncated':
        image.write_bytes(image.read_bytes()[:60])


@pytest.mark.parametrize(
    ('fault', 'message'),
    [
        ('no root', 'data: the folder does not exist (train_dataloader.dataset.data_root)'),
        ('empty split', 'images/train: the folder holds no file'),
        ('no mask', '1 of 4 images have no mask in'),
        ('another size', 'masks/train/b.png: the mask has 32x64 pixels (height x width), its image'),
        ('colour', 'masks/train/b.png: the mask is in colour'),
        ('16 bit', 'masks/train/b.png: the mask has 16 bits and ids from 300 to 300'),
        ('unknown id', 'masks/train/b.png: the mask holds the ids 2; expected 0..1, 255'),
        ('truncated', 'images/train/b.png: the file is truncated'),
    ],
)
def test_bad_data_stops_the_training_with_one_line(run, folder, fault, message):
    config, data = folder
    spoil(data, fault)
    status, line = run('train', config)
    assert status == 1
    assert message in line
