"""Segmentation with pretext tasks under mmengine's Runner."""

import pytest
import torch
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from multi_task_cases import COLOUR, ROTATION, SEGMENTOR, batch

from mmssl.engine.hooks.multi_task_hook import MultiTaskHook
from mmssl.errors import DataError

pytestmark = pytest.mark.usefixtures('mmseg_scope')


@DATASETS.register_module()
class OneBatch(torch.utils.data.Dataset):
    """Samples of one task out of the batch of the cases, again and again."""

    metainfo = {'classes': tuple('abcde')}

    def __init__(self, task):
        data = batch()
        self.samples = list(zip(data['inputs'][task], data['data_samples'][task], strict=True))

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        inputs, sample = self.samples[index]
        return {'inputs': inputs, 'data_samples': sample}


def config(work_dir, hooks=({'type': 'mmssl.MultiTaskHook'},), **options):
    ramp = {'weight': 1.0, 'begin': 1, 'end': 3, 'shape': 'linear'}
    tasks = {'colour': {'model': COLOUR, **ramp}, 'rotation': {'model': ROTATION}}
    sides = {name: {'type': 'OneBatch', 'task': name} for name in tasks}
    return {
        'model': {'type': 'mmssl.MultiTaskSegmentor', 'segmentor': SEGMENTOR, 'tasks': tasks, **options},
        'train_dataloader': {
            'batch_size': 2,
            'num_workers': 0,
            'sampler': {'type': 'mmssl.MultiTaskInfiniteSampler'},
            'dataset': {
                'type': 'mmssl.MultiTaskSegDataset',
                'segmentation': {'type': 'OneBatch', 'task': 'segmentation'},
                'tasks': sides,
            },
        },
        'train_cfg': {'type': 'IterBasedTrainLoop', 'max_iters': 4, 'val_interval': 9},
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.001}},
        'custom_hooks': list(hooks),
        'work_dir': str(work_dir),
        'randomness': {'seed': 0},
        'log_level': 'ERROR',
        'default_scope': 'mmseg',
        'experiment_name': f'multi_task_{work_dir.name}',
    }


def train(cfg):
    seen = []
    runner = Runner.from_cfg(cfg)
    after = runner.call_hook

    def spy(name, **kwargs):
        if name == 'after_train_iter':
            seen.append({key: value.item() for key, value in kwargs['outputs'].items()})
        return after(name, **kwargs)

    runner.call_hook = spy
    runner.train()
    return runner, seen


def test_weights_follow_the_iteration_and_modes_agree(tmp_path):
    runs = {mode: train(config(tmp_path / mode, mode=mode, probe_interval=2)) for mode in ('joint', 'sequential')}
    for _, seen in runs.values():
        assert ['colour.weighted' in each for each in seen] == [False, False, True, True]
        assert seen[2]['colour.weighted'] == pytest.approx(0.5 * seen[2]['colour.unweighted'], rel=1e-6)
        assert ['rotation.grad_cosine' in each for each in seen] == [True, False, True, False]
        assert seen[0]['loss'] == pytest.approx(
            seen[0]['segmentation.weighted'] + seen[0]['rotation.weighted'], rel=1e-6
        )
    first, second = (seen for _, seen in runs.values())
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        assert one['loss'] == pytest.approx(other['loss'], rel=1e-4)


def test_resumed_training_has_the_tasks(tmp_path):
    balance = {'type': 'mmssl.GradNormBalance'}
    runner, _ = train(config(tmp_path / 'first', balance=balance))
    path = tmp_path / 'first.pth'
    torch.save({'state_dict': runner.model.state_dict()}, path)
    cfg = config(tmp_path / 'second', balance=balance)
    cfg['load_from'], cfg['train_cfg']['max_iters'] = str(path), 1
    again = Runner.from_cfg(cfg)
    again.load_or_resume()
    for name, tensor in runner.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name
    assert not torch.equal(again.model.balance.weight, torch.ones(3))


def test_the_hook_is_missed(tmp_path):
    with pytest.raises(DataError, match='no iteration was told: add mmssl.MultiTaskHook'):
        Runner.from_cfg(config(tmp_path / 'none', hooks=())).train()


def test_the_hook_wants_its_model(tmp_path):
    class Other:
        model = torch.nn.Linear(1, 1)

    with pytest.raises(DataError, match='Linear found, expected mmssl.MultiTaskSegmentor'):
        MultiTaskHook().before_train_iter(Other(), 0)
