"""Alarms and counts of pixel-level pretraining, by outputs made up for each iteration."""

import math
from types import SimpleNamespace

import pytest
import torch

from mmssl.engine.hooks.momentum_bn_hook import MomentumBNHook
from mmssl.engine.hooks.pixel_health_hook import PixelHealthHook
from mmssl.errors import DataError
from mmssl.models.layers.momentum_bn import MomentumBN

CHANNELS = 16
LIMIT = 0.1 / math.sqrt(CHANNELS)


class Log(list):
    def warning(self, text):
        self.append(text)


@pytest.fixture
def runner():
    neck = SimpleNamespace(out=torch.nn.Conv2d(4, CHANNELS, 1))
    model = SimpleNamespace(student=SimpleNamespace(neck=neck))
    return SimpleNamespace(model=model, iter=0, logger=Log(), _resume=False)


def run(hook, runner, stds, apart=None):
    """Feed iterations: feature_std and whether no view overlapped."""
    for std, none in zip(stds, apart or [0.0] * len(stds), strict=True):
        hook.after_train_iter(runner, 0, outputs={'feature_std': torch.tensor(std), 'no_overlap': torch.tensor(none)})
        runner.iter += 1


def test_collapse_is_told_once_and_only_when_it_stays(runner):
    hook = PixelHealthHook(patience=3)
    hook.before_train(runner)
    run(hook, runner, [LIMIT * 0.9, LIMIT * 0.9, LIMIT * 1.1, LIMIT * 0.9, LIMIT * 0.9])
    assert runner.logger == []
    run(hook, runner, [LIMIT * 0.9] * 10)
    assert len(runner.logger) == 1
    assert 'for 3 iterations' in runner.logger[0] and 'collapses' in runner.logger[0]


def test_batches_without_overlap_are_counted(runner):
    hook = PixelHealthHook(patience=4)
    hook.before_train(runner)
    run(hook, runner, [1.0] * 7, [1.0, 0.0, 1.0, 1.0, 0.99, 1.0, 0.0])
    assert [text.split('; ')[-1] for text in runner.logger] == [f'{n} such batches so far' for n in (1, 2, 4)]
    checkpoint = {}
    hook.before_save_checkpoint(runner, checkpoint)
    resumed = PixelHealthHook(patience=4)
    runner._resume = True
    resumed.after_load_checkpoint(runner, checkpoint)
    runner.logger.clear()
    resumed.after_train(runner)
    assert runner.logger == ['PixelHealthHook: 4 batches had no views that overlapped']


def test_no_overlap_for_long_stops_the_training(runner):
    hook = PixelHealthHook(patience=3)
    hook.before_train(runner)
    run(hook, runner, [1.0, 1.0, 1.0], [1.0, 1.0, 0.0])
    with pytest.raises(DataError, match='iteration 6: no views overlapped in 3 batches in a row'):
        run(hook, runner, [1.0] * 3, [1.0] * 3)


def test_bad_options_and_models(runner):
    for options in ({'min_std': -0.1}, {'min_std': 1.5}, {'patience': 0}, {'channels': 0}):
        with pytest.raises(ValueError, match='PixelHealthHook'):
            PixelHealthHook(**options)
    hook = PixelHealthHook()
    with pytest.raises(ValueError, match='no student.neck.out'):
        hook.before_train(SimpleNamespace(model=torch.nn.Identity()))
    with pytest.raises(ValueError, match='no feature_std, expected mmssl.PixPro'):
        hook.after_train_iter(runner, 0, outputs={'loss': torch.tensor(0.0)})
    PixelHealthHook(channels=8).before_train(SimpleNamespace(model=torch.nn.Identity()))


def test_momentum_bn_follows_the_iteration():
    model = torch.nn.Sequential(MomentumBN(4), torch.nn.BatchNorm2d(4), MomentumBN(4))
    scalars = {}
    hub = SimpleNamespace(update_scalar=scalars.__setitem__)
    runner = SimpleNamespace(model=model, iter=0, max_iters=100, message_hub=hub)
    hook = MomentumBNHook(start=0.2, end=1.0)
    for iteration, expected in ((0, 0.2), (50, 0.6), (25, 0.6 - 0.4 * math.cos(math.pi / 4)), (100, 1.0)):
        runner.iter = iteration
        hook.before_train_iter(runner, 0)
        assert model[0].coefficient == model[2].coefficient == pytest.approx(expected)
        assert scalars['train/momentum_bn'] == pytest.approx(expected)
    assert model[1].momentum == 0.1
    runner.model = torch.nn.BatchNorm2d(4)
    with pytest.raises(ValueError, match='no mmssl.MomentumBN'):
        hook.before_train_iter(runner, 0)
    with pytest.raises(ValueError, match='start=2'):
        MomentumBNHook(start=2)
