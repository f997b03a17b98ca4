"""Transfer and frozen stage on two gloo processes: equal weights, and errors that reach both."""

import pytest
import torch

RANKS = """
import os, sys, torch
sys.path.insert(0, sys.argv[2])
from test_freeze_hook import Net, copied, samples
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS, MODELS
from mmengine.runner import Runner
from mmssl.apis.cpu_distributed import prepare_cpu_distributed
from mmssl.engine.hooks.freeze_hook import FreezeHook
from mmssl.engine.hooks.weight_transfer_hook import WeightTransferHook

root, rank = sys.argv[1], int(os.environ['RANK'])
torch.distributed.init_process_group('gloo', init_method=f'file://{root}/store', rank=rank, world_size=2)
MODELS.register_module(module=Net)
states = []

@HOOKS.register_module()
class Keep(Hook):
    priority = 'LOWEST'
    def before_train(self, runner):
        states.append(copied(runner.model.module))
    def after_train_iter(self, runner, *_, **__):
        states.append(copied(runner.model.module))

@DATASETS.register_module()
class Samples(torch.utils.data.Dataset):
    def __init__(self):
        self.samples = samples(16)
    def __len__(self):
        return 16
    def __getitem__(self, index):
        return self.samples[index]

source = f'{root}/source.pth'
transfer = dict(type='mmssl.WeightTransferHook', rules=[dict(source=source, modules='*', keep_filters=0.5)])
cfg = Config(dict(
    model=dict(type='Net'), work_dir=f'{root}/run', launcher='pytorch', env_cfg=dict(), find_unused_parameters=True,
    train_dataloader=dict(dataset=dict(type='Samples'), batch_size=2, num_workers=0,
                          collate_fn=dict(type='default_collate'), sampler=dict(type='DefaultSampler')),
    train_cfg=dict(by_epoch=False, max_iters=4), default_hooks=dict(checkpoint=None),
    custom_hooks=[dict(type='Keep'), dict(type='mmssl.FreezeHook', iters=2), transfer],
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, weight_decay=0.1)), log_level='ERROR'))
prepare_cpu_distributed(cfg)
runner = Runner.from_cfg(cfg)
start = copied(runner.model.module)

def fail(hook):
    try:
        hook.before_train(runner)
    except ValueError as caught:
        return str(caught)

def fail_transfer(file):
    return fail(WeightTransferHook(rules=[dict(source=file, modules='*')]))

errors = dict(
    lacking=fail_transfer(source if rank == 0 else f'{root}/gone.pth'),
    both=fail_transfer(f'{root}/gone.pth'),
    differing=fail_transfer(f'{root}/node{rank}.pth'))
runner.model.find_unused_parameters = False
errors['unused'] = fail(FreezeHook(iters=2))
runner.model.find_unused_parameters = True
untouched = all(torch.equal(value, start[key]) for key, value in runner.model.module.state_dict().items())
untouched = untouched and all(parameter.requires_grad for parameter in runner.model.parameters())
runner.train()
torch.save(dict(errors=errors, untouched=untouched, states=states), f'{root}/rank{rank}.pt')
"""


@pytest.fixture(scope='module')
def ranks(tmp_path_factory, run_on_two_ranks):
    """What each rank has seen, the folder, and the state that was transferred."""
    root = tmp_path_factory.mktemp('ranks')
    torch.manual_seed(7)
    state = {'backbone.0.weight': torch.randn(4, 2), 'backbone.0.bias': torch.randn(4)}
    torch.save(state, root / 'source.pth')
    for rank in range(2):
        torch.save({'head.0.weight': torch.full((1, 4), float(rank))}, root / f'node{rank}.pth')
    run_on_two_ranks(RANKS, root)
    first, second = (torch.load(root / f'rank{rank}.pt', weights_only=True) for rank in range(2))
    return first, second, root, state


def test_ranks_fail_together_and_nothing_changes(ranks):
    first, second, root, _ = ranks
    assert first['errors'] == second['errors']
    errors = first['errors']
    # one rank lacks the file, both lack it, the files differ
    assert errors['lacking'] == f'rank 1: {root}/gone.pth: no such checkpoint file or work dir'
    assert errors['both'] == f'{root}/gone.pth: no such checkpoint file or work dir'
    assert errors['differing'].startswith(f'rank 1: {root}/node1.pth has sha256 ')
    assert errors['unused'] == (
        'FreezeHook: CPUDistributedDataParallel has find_unused_parameters=False, static_graph=False, expected True '
        'and False: set find_unused_parameters=True in the config'
    )
    assert first['untouched'] is second['untouched'] is True


def test_ranks_hold_equal_weights(ranks):
    first, second, _, state = ranks
    assert len(first['states']) == len(second['states']) == 5
    statistics = ('running_mean', 'running_var')  # each rank goes on with its own
    for here, there in zip(first['states'], second['states'], strict=True):
        assert all(key.endswith(statistics) or torch.equal(here[key], there[key]) for key in here)
    kept = (first['states'][0]['backbone.0.weight'] == state['backbone.0.weight']).all(dim=1)
    assert int(kept.sum()) == 2  # of four; the others are drawn


def test_the_backbone_is_frozen_for_two_iterations(ranks):
    for states in (ranks[0]['states'], ranks[1]['states']):
        for number, (before, after) in enumerate(zip(states, states[1:], strict=False)):
            for key in before:
                frozen = number < 2 and key.startswith('backbone')
                assert torch.equal(before[key], after[key]) == frozen, (number, key)
