"""The teacher on two gloo processes with different data: one teacher, that of the closed form; masks of each rank."""

import pytest
import torch
from mmseg.structures import SegDataSample
from test_mean_teacher_hook import CLASSES, SIZE, semi_cfg, student

from mmssl.registry import MODELS

ITERATIONS, BURN_IN, ALPHA = 5, 1, 0.6

RANKS = """
import os, sys, torch
sys.path.insert(0, sys.argv[2])
from test_mean_teacher_hook import CLASSES, Pairs, SIZE, Watch, semi_cfg
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from mmengine.runner import Runner
from mmssl.apis.cpu_distributed import prepare_cpu_distributed

root, iterations, burn_in, alpha = sys.argv[1], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
rank = int(os.environ['RANK'])
torch.distributed.init_process_group('gloo', init_method=f'file://{root}/store', rank=rank, world_size=2)
DATASETS.register_module(module=Pairs)
watch = Watch()

@HOOKS.register_module()
class Masks(Hook):
    masks, images = [], []
    def before_train_iter(self, runner, *_, **__):
        runner.model.module.wants_record = True
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        record = runner.model.module.record
        if record is not None:
            Masks.masks.append(record.mask)
            Masks.images.append(record.first_images)

HOOKS.register_module(name='Watching', module=type('Watching', (Watch,), {'__new__': lambda kind: watch}))
cfg = Config(dict(
    model=semi_cfg(mixing=dict(type='mmssl.CowMix'), burn_in=burn_in, teacher=dict(alpha=alpha),
                   distribution_alignment=dict(target=[1.0] * CLASSES)),
    work_dir=f'{root}/run', launcher='pytorch', env_cfg=dict(), default_scope='mmseg', randomness=dict(seed=3),
    train_dataloader=dict(dataset=dict(type='mmengine.Pairs', number=16), batch_size=2, num_workers=0,
                          sampler=dict(type='InfiniteSampler', shuffle=False)),
    train_cfg=dict(by_epoch=False, max_iters=iterations, val_interval=1000),
    default_hooks=dict(checkpoint=None, logger=None),
    custom_hooks=[dict(type='mmssl.MeanTeacherHook'), dict(type='mmengine.Masks'), dict(type='mmengine.Watching')],
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)), log_level='ERROR'))
prepare_cpu_distributed(cfg)
runner = Runner.from_cfg(cfg)
runner.train()
torch.save(dict(wrapper=type(runner.model).__name__, start=watch.start, before=watch.before, after=watch.after,
                losses=watch.losses, masks=Masks.masks, images=Masks.images), f'{root}/rank{rank}.pt')
"""


@pytest.fixture(scope='module')
def ranks(tmp_path_factory, run_on_two_ranks):
    """What each rank has seen."""
    root = tmp_path_factory.mktemp('ranks')
    run_on_two_ranks(RANKS, root, ITERATIONS, BURN_IN, ALPHA)
    return [torch.load(root / f'rank{rank}.pt', weights_only=True) for rank in range(2)]


def teacher(state: dict) -> dict:
    return {name: value for name, value in state.items() if name.startswith('teacher.')}


def is_statistic(name: str) -> bool:
    return name.endswith(('running_mean', 'running_var'))


def test_the_runner_wrapped_the_model_and_the_ranks_saw_other_images(ranks):
    first, second = ranks
    assert first['wrapper'] == second['wrapper'] == 'CPUDistributedDataParallel'
    assert all(one['loss'] != other['loss'] for one, other in zip(first['losses'], second['losses'], strict=True))
    assert [len(rank['masks']) for rank in ranks] == [ITERATIONS - BURN_IN] * 2
    for one, other in zip(first['images'], second['images'], strict=True):
        assert not torch.equal(one, other)


def test_students_differ_in_statistics_alone(ranks):
    for one, other in zip(ranks[0]['after'], ranks[1]['after'], strict=True):
        differing = {name for name in student(one) if not torch.equal(student(one)[name], student(other)[name])}
        assert differing and all(is_statistic(name) for name in differing)


def test_the_teacher_is_the_same_on_both_ranks(ranks):
    """Parameters, statistics, the count, also at the end of the burn-in; and the running mean of predictions."""
    for moment in ('after', 'before'):
        for step, (one, other) in enumerate(zip(ranks[0][moment], ranks[1][moment], strict=True)):
            for name in [*teacher(one), 'strong_view.alignment.running']:
                assert torch.equal(one[name], other[name]), (moment, step, name)
    running = [state['strong_view.alignment.running'] for state in ranks[0]['after']]
    assert not torch.equal(running[0], running[-1])


def test_the_teacher_is_that_of_the_closed_form(ranks):
    """Parameters from rank 0's students, statistics from the mean of both ranks'."""
    students = []
    for states in zip(*([rank['before'][BURN_IN], *rank['after'][BURN_IN:]] for rank in ranks), strict=True):
        one, other = map(student, states)
        students.append({name: (one[name] + other[name]) / 2 if is_statistic(name) else one[name] for name in one})
    weights = [1.0]
    for step in range(ITERATIONS - BURN_IN):
        state = ranks[1]['after'][BURN_IN + step]
        assert int(state['teacher.steps']) == step + 1
        alpha = min(1 - 1 / (step + 1), ALPHA)
        weights = [weight * alpha for weight in weights] + [1 - alpha]
        for name in students[0]:
            found = state[f'teacher.model.{name}']
            expected = sum(w * s[name].double() for w, s in zip(weights, students, strict=False))
            if name.endswith('num_batches_tracked'):
                expected = students[step + 1][name].double()
            torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6, msg=f'{step} {name}')


def test_masks_belong_to_the_rank(ranks, mmseg_scope):
    """CowMix draws without looking at the images: at one iteration two ranks have two masks."""
    for one, other in zip(ranks[0]['masks'], ranks[1]['masks'], strict=True):
        assert 0.2 < (one ^ other).float().mean() < 0.8
    # rank 0 draws as a single process does
    model = MODELS.build(semi_cfg(mixing={'type': 'mmssl.CowMix'}))
    model.wants_record = True
    images, probabilities = torch.zeros(2, 3, *SIZE), torch.full((2, CLASSES, *SIZE), 1 / CLASSES)
    samples = [SegDataSample(metainfo={'img_shape': SIZE})] * 2
    for step, mask in enumerate(ranks[0]['masks']):
        model.begin_iteration(BURN_IN + step, 3)
        mixed = model.mix_batch({'unlabeled': images}, {'unlabeled': samples}, probabilities)
        assert torch.equal(mixed.record.mask, mask)
