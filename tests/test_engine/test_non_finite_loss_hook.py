"""A loss that is not finite stops a training and leaves the good checkpoints as they are."""

import json

import pytest
import torch
from forked_runs import run, run_ranks
from interrupted_cases import train
from mmengine.structures import BaseDataElement
from torch import nn

from mmssl.engine.finite_values import image_paths, losses_not_finite, tensors_not_finite
from mmssl.engine.hooks import NonFiniteLossHook

SAVER = {'interval': 2, 'max_keep_ckpts': 1, 'save_best': 'score', 'rule': 'greater'}


def left(folder) -> set[str]:
    return {path.name for path in folder.glob('*.pth')}


def error(log) -> str:
    lines = [line for line in log.read_text().splitlines() if line.startswith('error: ')]
    assert len(lines) == 1, log.read_text()
    return lines[0]


@pytest.mark.faults
def test_a_row_stops_and_saves_nothing(tmp_path, count_faults):
    """Iterations 3 to 5 of a training that saves at 2 and 4 and validates, with a better score, at 4."""
    model = {'nan': [3, 4, 5, 6], 'poison': True}
    log, folder = tmp_path / 'log', tmp_path / 'run'
    assert run(train, folder, {'model': model, 'saver': SAVER}, log=log) == 1
    assert error(log).startswith(
        'error: iteration 5: the loss is not finite, 3 iterations in a row '
        '(loss_abs nan, loss_square nan, loss nan), expected numbers; '
        f'{folder}/nonfinite_iter_3.json names the images; the last checkpoint is {folder}/iter_2.pth'
    )
    assert left(folder) == {'iter_2.pth'}
    assert not tensors_not_finite_in(folder / 'iter_2.pth')
    assert 'no checkpoint at iteration 4: the loss is not finite, 2 iterations in a row' in log.read_text()
    assert 'validated after 4' in log.read_text()
    seen = json.loads((folder / 'nonfinite_iter_3.json').read_text())
    assert [one['iteration'] for one in seen] == [3, 4, 5]
    assert seen[0]['losses'] == {'loss_abs': 'nan', 'loss': 'nan'}
    assert all({'loss_abs', 'loss'} <= one['losses'].keys() for one in seen)
    assert [len(one['images']) for one in seen] == [2, 2, 2] and seen[0]['images'][0].endswith('.png')
    assert all(0 < one['learning_rates']['lr'] <= 0.1 for one in seen)
    count_faults('non-finite losses', 1, 1)


def tensors_not_finite_in(path) -> list[str]:
    state = torch.load(path, weights_only=True)['state_dict']
    return [name for name, value in state.items() if not torch.isfinite(value).all()]


@pytest.mark.faults
@pytest.mark.parametrize('rank', [0, pytest.param(1, marks=pytest.mark.faults_in_full)])
def test_of_one_rank_it_stops_both(tmp_path, rank, count_faults):
    log, folder = tmp_path / 'log', tmp_path / 'run'
    model = {'nan': [3, 4, 5, 6], 'nan_rank': rank}
    options = {'model': model, 'saver': SAVER, 'hooks': {'non_finite_loss': hook(patience=2)}}
    assert run_ranks(train, folder, options, log=log, seconds=60) == [1, 1]
    for number in range(2):
        told = 'loss_abs nan, loss nan' if number == rank else 'on another rank'
        line = error(log.with_name(f'log.{number}'))
        assert line.startswith(f'error: iteration 4: the loss is not finite, 2 iterations in a row ({told}), '), line
    # Iteration 3 is known before iteration 4 is saved, so that the newest is that of 2.
    assert left(folder) == {'iter_2.pth'}
    assert sorted(path.name for path in folder.glob('nonfinite*')) == [
        f'nonfinite_iter_3{"_rank_1" if rank else ""}.json'
    ]
    count_faults('non-finite losses', 1, 1)


def hook(**arguments) -> dict:
    return {'type': 'mmssl.NonFiniteLossHook', **arguments}


def test_a_row_that_ends_is_forgotten(tmp_path):
    """Two of three, and later two more: nothing stops, and what is saved after them is whole."""
    log, folder = tmp_path / 'log', tmp_path / 'run'
    model = {'nan': [3, 4, 9, 10]}
    options = {'model': model, 'saver': {'interval': 2, 'max_keep_ckpts': -1}, 'hooks': {'logger': None}}
    assert run(train, folder, {**options}, log=log) == 0, log.read_text()
    assert left(folder) == {f'iter_{number}.pth' for number in (2, 6, 8, 12)}
    assert not list(folder.glob('nonfinite*'))


def test_a_training_that_ends_in_a_row(tmp_path):
    log, folder = tmp_path / 'log', tmp_path / 'run'
    assert run(train, folder, {'model': {'nan': [12]}}, log=log) == 1
    assert error(log).startswith('error: iteration 12: the loss is not finite (loss_abs nan, loss nan)')
    assert (folder / 'last_checkpoint').read_text() == 'iter_8.pth'


def test_mmengines_checkpoints_stop_it(tmp_path):
    log, folder = tmp_path / 'log', tmp_path / 'run'
    assert run(train, folder, {'model': {'nan': [4]}, 'saver': {'type': 'CheckpointHook'}}, log=log) == 1
    assert error(log).startswith('error: iteration 4: the loss is not finite (')
    assert left(folder) == set()


def test_spoilt_weights_are_not_saved(tmp_path):
    """A gradient that is not a number beside a loss that is one: sqrt at 0."""
    log, folder = tmp_path / 'log', tmp_path / 'run'
    assert run(train, folder, {'model': {'spoil': 8}}, log=log) == 1
    told = error(log)
    assert 'error: iteration 8: weights or buffers are not finite (' in told and 'first net.0.weight' in told
    assert told.endswith(
        f'though the loss is; the last checkpoint is {folder}/iter_4.pth (MMSSL_TRACEBACK=1 shows where)'
    )


class Logged:
    def __init__(self, value):
        self.value = value

    def current(self):
        return self.value


def test_losses_not_finite():
    outputs = {'loss': torch.tensor(1.0), 'aux.loss_ce': torch.tensor(2.0), 'acc': torch.tensor(float('nan'))}
    logged = {'train/loss': Logged(float('inf')), 'train/acc': Logged(float('nan'))}
    assert losses_not_finite(outputs, logged) == {'loss': float('inf')}
    outputs['aux.loss_ce'] = torch.tensor(float('-inf'))
    assert list(losses_not_finite(outputs, logged)) == ['aux.loss_ce', 'loss']  # the sum comes last
    assert losses_not_finite(outputs, {f'train/{name}': Logged(0.0) for name in outputs}) == {}


def test_tensors_not_finite():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert tensors_not_finite(net) == []
    net[1].running_mean[1] = float('nan')
    net[0].weight.data[0, 1] = float('-inf')
    assert tensors_not_finite(net) == ['0.weight', '1.running_mean']
    assert tensors_not_finite(nn.ReLU()) == []


def test_image_paths():
    samples = [BaseDataElement(metainfo={'img_path': f'{name}.png'}) for name in 'abca']
    batch = {'inputs': [torch.zeros(3)] * 2, 'data_samples': {'labeled': samples[:2], 'unlabeled': [samples[2:]]}}
    assert image_paths(batch) == ['a.png', 'b.png', 'c.png']
    assert image_paths({'inputs': torch.zeros(2), 'name': 'no image', 'data_samples': [BaseDataElement()]}) == []
    assert image_paths(None) == []


def test_patience_from_one():
    with pytest.raises(ValueError, match='NonFiniteLossHook: patience=0, expected a whole number from 1'):
        NonFiniteLossHook(patience=0)
