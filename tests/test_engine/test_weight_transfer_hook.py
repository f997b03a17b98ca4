"""Weight transfer inside a Runner: when it happens and what it leaves behind."""

import hashlib
from pathlib import Path

import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmssl.compat import allow_mmengine_checkpoints
from mmssl.engine.hooks.weight_transfer_hook import WeightTransferHook
from mmssl.errors import DataError


class Net(BaseModel):
    """A backbone with a norm, and a head."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))
        self.head = nn.Linear(4, 1)

    def forward(self, inputs, targets, mode='tensor'):
        return {'loss': (self.head(self.backbone(inputs)) - targets).square().mean()}


class Watch(Hook):
    """Keep copies of the weights in before_train, behind the transfer, and after each iteration."""

    priority = 'LOWEST'

    def __init__(self):
        self.states = []

    def before_train(self, runner):
        self.states.append(copied(runner.model))

    def after_train_iter(self, runner, *_, **__):
        self.states.append(copied(runner.model))


def copied(model) -> dict:
    return {key: value.clone() for key, value in model.state_dict().items()}


def runner(tmp_path, *hooks, iters=2, **kwargs) -> Runner:
    allow_mmengine_checkpoints()
    torch.manual_seed(0)
    model = Net()
    samples = [{'inputs': torch.tensor([i, -i]).float(), 'targets': torch.tensor([i * 0.5])} for i in range(8)]
    return Runner(
        model=model,
        work_dir=str(tmp_path / 'run'),
        experiment_name=f'{tmp_path.name}-{len(list(tmp_path.glob("run/*")))}-{id(hooks)}',
        train_dataloader=DataLoader(samples, batch_size=2),
        train_cfg={'by_epoch': False, 'max_iters': iters},
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)),
        default_hooks={'checkpoint': {'type': 'CheckpointHook', 'interval': 2, 'by_epoch': False}},
        custom_hooks=list(hooks),
        log_level='INFO',
        **kwargs,
    )


@pytest.fixture
def source(tmp_path):
    """State of another run and the file that holds it."""
    torch.manual_seed(7)
    model = Net()
    with torch.no_grad():
        model.backbone[1].running_mean.uniform_()
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'source.pth')
    return model.state_dict(), str(tmp_path / 'source.pth')


def log_of(tmp_path) -> str:
    return '\n'.join(path.read_text() for path in sorted(tmp_path.glob('run/*/*.log')))


def test_before_the_first_iteration_the_weights_are_there(tmp_path, source):
    state, path = source
    watch = Watch()
    run = runner(tmp_path, WeightTransferHook(rules=[{'source': path, 'modules': 'backbone'}]), watch)
    start = copied(run.model)
    run.train()
    first = watch.states[0]
    assert all(torch.equal(first[key], state[key]) for key in state if key.startswith('backbone'))
    assert all(torch.equal(first[key], start[key]) for key in state if key.startswith('head'))
    # and they train: 4 * 2 + 4 + 4 + 4 + 4 * 4 + 4 parameters of the backbone
    assert not torch.equal(watch.states[1]['backbone.0.weight'], state['backbone.0.weight'])
    log = log_of(tmp_path)
    assert '40 of 45 parameters (88.8 %) taken from the sources, 0 reinitialised, 5 left as they were' in log
    assert 'backbone.0  copied        2          12  [1]' in log


def test_checkpoints_know_the_source(tmp_path, source):
    _, path = source
    runner(tmp_path, WeightTransferHook(rules=[{'source': path, 'modules': 'backbone'}])).train()
    hub = torch.load(tmp_path / 'run/iter_2.pth', weights_only=True)['message_hub']
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert hub['runtime_info']['weight_transfer'] == {path: digest}


def test_hooks_that_copy_the_model_see_it_after_the_transfer(tmp_path, source):
    state, path = source
    seen = []

    class Teacher(Hook):
        priority = 'NORMAL'

        def before_train(self, runner):
            seen.append(copied(runner.model))

    # listed first, and yet it runs second
    runner(tmp_path, Teacher(), WeightTransferHook(rules=[{'source': path, 'modules': 'backbone'}])).train()
    assert torch.equal(seen[0]['backbone.0.weight'], state['backbone.0.weight'])


def test_it_overrides_load_from(tmp_path, source):
    state, path = source
    torch.manual_seed(9)
    loaded = Net().state_dict()
    torch.save({'state_dict': loaded}, tmp_path / 'loaded.pth')
    watch = Watch()
    hook = WeightTransferHook(rules=[{'source': path, 'modules': 'backbone.0'}])
    runner(tmp_path, hook, watch, load_from=str(tmp_path / 'loaded.pth')).train()
    assert torch.equal(watch.states[0]['backbone.0.weight'], state['backbone.0.weight'])
    assert torch.equal(watch.states[0]['backbone.2.weight'], loaded['backbone.2.weight'])


def test_a_resumed_run_keeps_its_weights(tmp_path, source):
    _, path = source
    rules = [{'source': path, 'modules': 'backbone'}]
    runner(tmp_path, WeightTransferHook(rules=rules)).train()
    stored = torch.load(tmp_path / 'run/iter_2.pth', weights_only=True)['state_dict']
    watch = Watch()
    # the source may be gone by then
    hook = WeightTransferHook(rules=[{'source': 'gone.pth', 'modules': 'backbone'}])
    runner(tmp_path, hook, watch, iters=4, resume=True, load_from=str(tmp_path / 'run/iter_2.pth')).train()
    assert all(torch.equal(watch.states[0][key], stored[key]) for key in stored)
    assert 'nothing is transferred, the run is resumed' in log_of(tmp_path)


def test_resume_without_a_checkpoint_is_a_start(tmp_path, source):
    state, path = source
    watch = Watch()
    runner(tmp_path, WeightTransferHook(rules=[{'source': path, 'modules': 'backbone'}]), watch, resume=True).train()
    assert torch.equal(watch.states[0]['backbone.0.weight'], state['backbone.0.weight'])


@pytest.mark.parametrize('update_buffers', [False, True])
def test_averaged_model_starts_from_the_transferred_one(tmp_path, source, update_buffers):
    _, path = source
    watch, ema = Watch(), EMAHook(momentum=0.25, update_buffers=update_buffers)
    averages = []

    class WatchAverage(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, runner, *_, **__):
            averages.append(copied(ema.ema_model.module))

    hook = WeightTransferHook(rules=[{'source': path, 'modules': 'backbone'}])
    runner(tmp_path, hook, ema, WatchAverage(), watch, iters=2).train()
    _, first, second = watch.states
    for key in ('backbone.0.weight', 'backbone.2.bias', 'head.weight'):
        assert torch.equal(averages[0][key], first[key])
        assert torch.allclose(averages[1][key], 0.75 * first[key] + 0.25 * second[key], atol=1e-7)


def test_what_the_source_lacks_is_a_warning(tmp_path, source):
    state, path = source
    partial = {key: value for key, value in state.items() if key.startswith('backbone.0') or 'num_batches' in key}
    torch.save(partial, path)
    runner(tmp_path, WeightTransferHook(rules=[{'source': path, 'modules': 'backbone'}])).train()
    line = next(line for line in log_of(tmp_path).splitlines() if 'WARNING - WeightTransferHook' in line)
    assert '6 tensors that a rule names are not in its source' in line
    assert 'backbone.1.weight, backbone.1.bias, backbone.1.running_mean, ...' in line


def test_after_an_error_nothing_has_changed(tmp_path, source):
    state, path = source
    torch.save(state | {'head.weight': torch.zeros(1, 9)}, path)
    run = runner(tmp_path, WeightTransferHook(rules=[{'source': path, 'modules': '*'}]))
    start = copied(run.model)
    with pytest.raises(DataError, match=r'head.weight has shape \(1, 9\) in the source, \(1, 4\) in the model'):
        run.train()
    assert all(torch.equal(value, start[key]) for key, value in run.model.state_dict().items())


def test_bad_rules_are_told_when_the_hook_is_built():
    with pytest.raises(ValueError, match=r"WeightTransferHook: rules\[0\]: unknown field 'module', did you mean"):
        WeightTransferHook(rules=[{'source': 'a.pth', 'module': 'backbone'}])
