"""Pretext tasks beside ClassMix on two gloo processes with different data: one student, one teacher."""

import pytest
import torch

ITERATIONS, BURN_IN = 3, 1

RANKS = """
import os, sys, torch
sys.path[:0] = [sys.argv[2], os.path.dirname(sys.argv[2])]
from test_mean_teacher_hook import Watch
from test_multi_task_semi_supervised_training import HOOKS, beside, joint, semi, random_pairs
from mmengine.config import Config
from mmengine.registry import HOOKS as REGISTRY
from mmengine.runner import Runner
from mmssl.apis.cpu_distributed import prepare_cpu_distributed

root, iterations, burn_in = sys.argv[1], int(sys.argv[3]), int(sys.argv[4])
rank = int(os.environ['RANK'])
torch.distributed.init_process_group('gloo', init_method=f'file://{root}/store', rank=rank, world_size=2)
watch = Watch()
REGISTRY.register_module(name='Watching', module=type('Watching', (Watch,), {'__new__': lambda kind: watch}))
found = {}
for mode in ('joint', 'sequential'):
    watch.__init__()
    cfg = Config(dict(
        model=joint(mode=mode, inner=semi(burn_in=burn_in, teacher=dict(alpha=0.6))),
        work_dir=f'{root}/{mode}', launcher='pytorch', env_cfg=dict(), default_scope='mmseg', randomness=dict(seed=3),
        experiment_name=mode,
        train_dataloader=dict(dataset=beside(random_pairs()), batch_size=2, num_workers=0,
                              sampler=dict(type='mmssl.MultiTaskInfiniteSampler')),
        train_cfg=dict(by_epoch=False, max_iters=iterations, val_interval=1000),
        default_hooks=dict(checkpoint=None, logger=None),
        custom_hooks=[dict(type='mmssl.MultiTaskHook'), dict(type='mmssl.MeanTeacherHook'), *HOOKS[:5],
                      dict(type='mmengine.Watching')],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)), log_level='ERROR'))
    prepare_cpu_distributed(cfg)
    runner = Runner.from_cfg(cfg)
    runner.train()
    found[mode] = dict(wrapper=type(runner.model).__name__, start=watch.start, after=watch.after, losses=watch.losses)
torch.save(found, f'{root}/rank{rank}.pt')
"""


@pytest.fixture(scope='module')
def ranks(tmp_path_factory, run_on_two_ranks):
    """What each rank has seen."""
    root = tmp_path_factory.mktemp('ranks')
    run_on_two_ranks(RANKS, root, ITERATIONS, BURN_IN)
    return [torch.load(root / f'rank{rank}.pt', weights_only=True) for rank in range(2)]


def is_statistic(name: str) -> bool:
    return name.endswith(('running_mean', 'running_var'))


@pytest.mark.parametrize('mode', ['joint', 'sequential'])
def test_student_and_teacher_are_the_same_on_both_ranks(ranks, mode):
    one, other = (rank[mode] for rank in ranks)
    assert one['wrapper'] == other['wrapper'] == 'CPUDistributedDataParallel'
    for mine, theirs in zip(one['losses'], other['losses'], strict=True):
        for name in ('segmentation', 'colour', 'rotation'):  # of other images
            assert mine[f'{name}.unweighted'] != theirs[f'{name}.unweighted']
    assert ['segmentation.unlabeled' in losses for losses in one['losses']] == [False, True, True]
    for step, (mine, theirs) in enumerate(zip(one['after'], other['after'], strict=True)):
        differing = {name for name in mine if not torch.equal(mine[name], theirs[name])}
        # Running statistics alone, which are of the images of each rank; the teacher's are means.
        assert differing and all(is_statistic(name) for name in differing)
        assert not any(name.startswith('segmentor.teacher') for name in differing)
        assert int(mine['segmentor.teacher.steps']) == max(0, step + 1 - BURN_IN)
    teacher = [name for name in one['start'] if name.startswith('segmentor.teacher.model.')]
    moved = [name for name in teacher if not torch.equal(one['start'][name], one['after'][-1][name])]
    assert len(moved) > 0.9 * len(teacher)
    heads = [name for name in one['start'] if name.startswith('tasks.') and 'weight' in name]
    assert all(not torch.equal(one['start'][name], one['after'][-1][name]) for name in heads)


def test_modes_agree(ranks):
    for rank in ranks:
        first, second = (rank[mode]['losses'] for mode in ('joint', 'sequential'))
        assert first[0]['loss'] == pytest.approx(second[0]['loss'], rel=1e-5)
        assert first[1]['loss'] == pytest.approx(second[1]['loss'], rel=1e-3)
