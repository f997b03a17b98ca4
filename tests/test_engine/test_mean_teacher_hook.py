"""The teacher inside a Runner: its start, its average, steps that do not happen, the burn-in, a resumed run."""

import copy
import itertools
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from mmssl.compat import allow_mmengine_checkpoints
from mmssl.engine.hooks.mean_teacher_hook import MeanTeacherHook
from mmssl.errors import DataError
from mmssl.registry import MODELS
from mmssl.testing import paired_batch

CLASSES = 4
SIZE = (32, 48)
MODEL = Path(__file__).resolve().parents[2] / 'configs/_base_/models/erfnet.py'
names = itertools.count()
pytestmark = pytest.mark.usefixtures('mmseg_scope')


def segmentor_cfg(num_classes=CLASSES, size=SIZE) -> dict:
    """A narrow ERFNet: every layer is there, a step takes a tenth of a second."""
    cfg = Config.fromfile(MODEL).model.to_dict()
    cfg['backbone'].update(widths=(4, 8, 16), dropout=(0.0, 0.0))
    cfg['decode_head'].update(in_channels=16, num_classes=num_classes)
    cfg['decode_head']['loss_decode'] = {'type': 'mmssl.WeightedCrossEntropyLoss'}
    cfg['data_preprocessor']['size'] = size
    return ConfigDict(cfg)


def semi_cfg(segmentor=None, **options) -> dict:
    """A semi-supervised model whose unlabelled loss counts from the first step."""
    defaults = {'mixing': {'type': 'mmssl.ClassMix'}, 'weighting': {'type': 'mmssl.ConstantWeighting'}}
    return dict(type='mmssl.SemiSupervisedSegmentor', segmentor=segmentor or segmentor_cfg(), **(defaults | options))


class Pairs(torch.utils.data.Dataset):
    """Noise in memory, in the form of PairedDataset; each sample is a new one, for samples are written to."""

    def __init__(self, number=8):
        self.pairs = paired_batch(CLASSES, batch_size=number, size=SIZE)
        self.metainfo = {'classes': [f'class{index}' for index in range(CLASSES)]}
        self.number = number

    def __len__(self):
        return self.number

    def __getitem__(self, index):
        pair = {key: {side: of[side][index] for side in of} for key, of in self.pairs.items()}
        return copy.deepcopy(pair)


class Watch(Hook):
    """Keep the states before training, around each iteration, and the losses; runs last."""

    priority = 'LOWEST'

    def __init__(self):
        self.start, self.before, self.after, self.losses = None, [], [], []

    def before_train(self, runner):
        self.start = copied(runner.model)

    def before_train_iter(self, runner, *_, **__):
        self.before.append(copied(runner.model))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.after.append(copied(runner.model))
        self.losses.append({name: value.item() for name, value in outputs.items()})


def copied(model) -> dict:
    model = model.module if is_model_wrapper(model) else model
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def part(state: dict, prefix: str) -> dict:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def student(state: dict) -> dict:
    return part(state, 'student.')


def teacher(state: dict) -> dict:
    return part(state, 'teacher.model.')


def differing(one: dict, other: dict) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


def is_statistic(name: str) -> bool:
    return name.endswith(('running_mean', 'running_var', 'num_batches_tracked'))


def make_runner(root, *hooks, model=None, iters=4, wrapper=None, dataset=None, sampler=None, **kwargs) -> Runner:
    allow_mmengine_checkpoints()
    number = next(names)
    return Runner(
        model=model or semi_cfg(),
        work_dir=str(root / f'run{number}'),
        experiment_name=f'{root.name}-{number}',
        train_dataloader={
            'batch_size': 2,
            'num_workers': 0,
            'sampler': sampler or {'type': 'InfiniteSampler', 'shuffle': False},
            'dataset': dataset or Pairs(),
            'collate_fn': {'type': 'pseudo_collate'},
        },
        train_cfg={'by_epoch': False, 'max_iters': iters, 'val_interval': 1000},
        optim_wrapper=wrapper or {'optimizer': {'type': 'SGD', 'lr': 0.05, 'momentum': 0.9}},
        default_hooks=kwargs.pop('default_hooks', {'checkpoint': None, 'logger': None}),
        custom_hooks=[{'type': 'mmssl.MeanTeacherHook'}, *hooks],
        default_scope='mmseg',
        randomness={'seed': 0},
        log_level='ERROR',
        **kwargs,
    )


def train(root, *hooks, **options) -> Watch:
    watch = Watch()
    make_runner(root, *hooks, watch, **options).train()
    return watch


def assert_starts_as_the_student(watch: Watch) -> None:
    assert differing(student(watch.start), teacher(watch.start)) == []
    assert int(watch.start['teacher.steps']) == 0


def test_starts_as_the_initialised_student(tmp_path):
    """The copy that the constructor made is of another student than the one that training begins with."""
    segmentor = segmentor_cfg()
    segmentor['backbone']['init_cfg'] = {'type': 'Kaiming', 'layer': 'Conv2d'}
    watch = Watch()
    runner = make_runner(tmp_path, watch, model=semi_cfg(segmentor), iters=1)
    built = copied(runner.model)
    runner.train()
    assert len(differing(student(watch.start), student(built))) > 50
    assert len(teacher(watch.start)) == len(student(watch.start)) > 300
    assert_starts_as_the_student(watch)


def scrambled(model: nn.Module) -> dict:
    """A state in which everything differs from everything, student from teacher too."""
    generator = torch.Generator().manual_seed(1)
    state = copied(model)
    for tensor in state.values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.1 + 0.01)
        else:
            tensor.fill_(7)
    return state


def test_starts_as_the_student_of_load_from(tmp_path):
    state = scrambled(MODELS.build(semi_cfg()))
    torch.save({'state_dict': state}, tmp_path / 'start.pth')
    watch = train(tmp_path, iters=1, load_from=str(tmp_path / 'start.pth'))
    assert differing(student(watch.start), student(state)) == []
    assert differing(student(state), teacher(state))
    assert_starts_as_the_student(watch)


@pytest.mark.parametrize('wide', [True, False], ids=['the whole network', 'the encoder'])
def test_starts_as_the_student_that_was_transferred(tmp_path, wide):
    """Rules name the student's modules; the teacher needs none."""
    plain = scrambled(MODELS.build(segmentor_cfg()))
    torch.save({'state_dict': plain}, tmp_path / 'plain.pth')
    modules = (
        {'modules': 'student.*', 'source_modules': '*'}
        if wide
        else {'modules': 'student.backbone', 'source_modules': 'backbone'}
    )
    rules = [dict(source=str(tmp_path / 'plain.pth'), exclude=(), **modules)]
    watch = train(tmp_path, {'type': 'mmssl.WeightTransferHook', 'rules': rules}, iters=1)
    taken = {name for name in plain if wide or name.startswith('backbone.')}
    changed = differing(student(watch.start), plain)
    assert taken.isdisjoint(name for name in changed if plain[name].is_floating_point())
    assert wide or changed
    assert_starts_as_the_student(watch)


@pytest.mark.parametrize(
    ('options', 'factor'),
    [
        ({'alpha': 0.6}, lambda step: min(1 - 1 / (step + 1), 0.6)),
        ({'alpha': 0.9, 'ramp': False, 'buffers': 'copy'}, lambda step: 0.9),
    ],
    ids=['ramp', 'constant'],
)
def test_average_of_the_steps_in_closed_form(tmp_path, options, factor):
    """Equation 2.16 over real steps: a sum of the students with weights that add up to 1."""
    watch = train(tmp_path, model=semi_cfg(teacher=options), iters=5)
    assert [int(state['teacher.steps']) for state in watch.after] == [1, 2, 3, 4, 5]
    students = [student(state) for state in [watch.start, *watch.after]]
    weights = [1.0]
    for step, state in enumerate(watch.after):
        now = factor(step)
        weights = [weight * now for weight in weights] + [1 - now]
        assert sum(weights) == pytest.approx(1)
        for name, value in teacher(state).items():
            expected = sum(w * s[name].double() for w, s in zip(weights, students, strict=False))
            if name.endswith('num_batches_tracked') or (is_statistic(name) and options.get('buffers') == 'copy'):
                expected = students[step + 1][name]
            torch.testing.assert_close(value.double(), expected.double(), rtol=1e-5, atol=1e-6, msg=name)
    moved = differing(teacher(watch.start), teacher(watch.after[-1]))
    assert len(moved) > 0.9 * len(teacher(watch.start))
    # two forward passes of the student in a step, labelled and mixed; none of the teacher's counts
    counts = [int(state['student.backbone.layers.1.bn.num_batches_tracked']) for state in watch.after]
    assert counts == [2, 4, 6, 8, 10]


def test_nothing_moves_while_gradients_are_accumulated(tmp_path):
    wrapper = {'optimizer': {'type': 'SGD', 'lr': 0.05}, 'accumulative_counts': 3}
    watch = train(tmp_path, wrapper=wrapper, iters=6)
    for index, state in enumerate(watch.after):
        earlier = watch.after[index - 1] if index else watch.start
        stepped = index in (2, 5)
        parameters = [name for name in differing(student(state), student(earlier)) if not is_statistic(name)]
        assert bool(parameters) == stepped
        assert bool(differing(teacher(state), teacher(earlier))) == stepped
        assert differing(student(state), student(earlier))  # the student's statistics move at every iteration
    assert [int(state['teacher.steps']) for state in watch.after] == [0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize(('accumulated', 'burn_in', 'updates'), [(1, 0, 7), (3, 0, 3), (1, 2, 5)])
def test_the_teacher_is_told_how_many_updates_there_will_be(tmp_path, accumulated, burn_in, updates):
    """A weight that rises to 1 gets there with the last update: the next one would move nothing."""
    wrapper = {'optimizer': {'type': 'SGD', 'lr': 0.05}, 'accumulative_counts': accumulated}
    model = semi_cfg(burn_in=burn_in, teacher={'alpha': 0.5, 'end_alpha': 1.0, 'ramp': False})
    runner = make_runner(tmp_path, model=model, wrapper=wrapper, iters=7)
    runner.train()
    assert runner.model.teacher.total_steps == runner.model.teacher.num_steps == updates
    assert runner.model.teacher.current_alpha() == 1.0


class ScaledOptimWrapper(OptimWrapper):
    """Loss scaling as AmpOptimWrapper has it, which needs an accelerator; the second loss overflows."""

    def __init__(self, optimizer):
        super().__init__(optimizer)
        self.scaler = torch.amp.GradScaler('cpu', init_scale=16.0)
        self.losses = 0

    def backward(self, loss, **kwargs):
        self.losses += 1
        self.scaler.scale(loss * (float('inf') if self.losses == 2 else 1)).backward()
        self._inner_count += 1

    def step(self, **kwargs):
        self.scaler.step(self.optimizer)
        self.scaler.update()


@pytest.mark.parametrize('fused', [False, True])
def test_nothing_moves_when_mixed_precision_skips_a_step(tmp_path, fused):
    """The scaler calls a fused optimiser even then, and leaves it to the optimiser to do nothing."""
    model = MODELS.build(semi_cfg())
    wrapper = ScaledOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.05, fused=fused))
    watch = train(tmp_path, model=model, wrapper=wrapper, iters=3)
    parameters = [
        name for name in differing(student(watch.after[1]), student(watch.after[0])) if not is_statistic(name)
    ]
    assert parameters == []
    assert differing(teacher(watch.after[1]), teacher(watch.after[0])) == []
    assert [int(state['teacher.steps']) for state in watch.after] == [1, 1, 2]


def test_burn_in(tmp_path):
    """Supervised at first; then the teacher is made of the student, and only then averages."""
    watch = train(tmp_path, model=semi_cfg(burn_in=2, teacher={'alpha': 0.7, 'ramp': False}), iters=4)
    assert ['loss_unlabeled' in losses for losses in watch.losses] == [False, False, True, True]
    assert differing(teacher(watch.after[1]), teacher(watch.start)) == []
    assert differing(student(watch.after[1]), teacher(watch.after[1]))
    assert differing(student(watch.before[2]), teacher(watch.before[2])) == []
    assert [int(state['teacher.steps']) for state in watch.after] == [0, 0, 1, 2]
    start, first = watch.before[2], watch.after[2]
    for name, value in teacher(first).items():
        if value.is_floating_point():
            expected = 0.7 * student(start)[name] + 0.3 * student(first)[name]
            torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6, msg=name)


def test_burn_in_is_plain_supervised_training(tmp_path):
    """The student of the burn-in is, bit by bit, that of the segmentor alone with the same start and batches."""
    model = MODELS.build(semi_cfg(burn_in=3))
    plain = copy.deepcopy(model.student)
    watch = train(tmp_path, model=model, iters=3)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.05, momentum=0.9)
    pairs = Pairs()
    plain.train()
    for step in range(3):
        samples = [pairs[2 * step + place] for place in range(2)]
        batch = {key: [sample[key]['labeled'] for sample in samples] for key in ('inputs', 'data_samples')}
        loss, _ = plain.parse_losses(plain.loss(**model.data_preprocessor.branch(batch, True)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert watch.losses[step]['loss'] == loss.item()
    assert differing(student(watch.after[-1]), plain.state_dict()) == []


def scenes(seed: int, pack: str) -> dict:
    pipeline = [{'type': 'mmssl.LoadStreetScene'}, {'type': 'RandomFlip', 'prob': 0.5}, {'type': pack}]
    return {'type': 'mmssl.StreetScenesDataset', 'num_images': 5, 'seed': seed, 'size': (64, 64), 'pipeline': pipeline}


def scene_pairs() -> dict:
    """Pairs whose pipelines draw random numbers."""
    unlabeled = scenes(1, 'mmssl.PackUnlabeledInputs')
    return {
        'dataset': {'type': 'mmssl.PairedDataset', 'labeled': scenes(0, 'PackSegInputs'), 'unlabeled': unlabeled},
        'sampler': {'type': 'mmssl.PairedInfiniteSampler'},
    }


@pytest.mark.parametrize('burn_in', [0, 2, 3], ids=['no burn-in', 'saved at its end', 'saved within it'])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, burn_in):
    model = semi_cfg(
        segmentor_cfg(num_classes=11, size=(64, 64)),
        mixing={'type': 'mmssl.CutMix'},
        augmentations=[{'type': 'mmssl.BatchColorJitter'}, {'type': 'mmssl.BatchGaussianBlur'}],
        distribution_alignment={'target': [1.0] * 11},
        burn_in=burn_in,
    )
    options = {
        'model': model,
        'param_scheduler': [{'type': 'PolyLR', 'power': 0.9, 'begin': 0, 'end': 4, 'by_epoch': False}],
    }
    options['default_hooks'] = {
        'logger': None,
        'checkpoint': {'type': 'CheckpointHook', 'interval': 2, 'by_epoch': False, 'max_keep_ckpts': 5},
    }
    whole = train(tmp_path, iters=4, **copy.deepcopy(options), **scene_pairs())
    (path,) = tmp_path.glob('run*/iter_2.pth')
    saved = torch.load(path, weights_only=True)['state_dict']
    assert differing(saved, whole.after[1]) == []  # the checkpoint has the teacher of its iteration
    resumed = train(tmp_path, iters=4, resume=True, load_from=str(path), **options, **scene_pairs())
    assert differing(resumed.start, saved) == []  # not synchronised again
    assert differing(student(saved), teacher(saved))
    assert resumed.losses == whole.losses[2:]
    for one, other in zip(resumed.after, whole.after[2:], strict=True):
        assert differing(one, other) == []
    assert int(resumed.after[-1]['teacher.steps']) == 4 - burn_in
    assert all(('loss_unlabeled' in losses) == (index >= burn_in) for index, losses in enumerate(whole.losses))


def test_a_second_run_of_the_same_runner_counts_steps_once(tmp_path):
    watch = Watch()
    runner = make_runner(tmp_path, watch, iters=2)
    runner.train()
    runner.train_loop._max_iters = 3
    runner.train_loop.run()
    assert [int(state['teacher.steps']) for state in watch.after] == [1, 2, 3]


@pytest.mark.parametrize('burn_in', [0, 2])
def test_without_the_hook_training_stops_at_once(tmp_path, burn_in):
    """Also during the burn-in, which would have no end: the hook tells the iteration."""
    runner = make_runner(tmp_path, model=semi_cfg(burn_in=burn_in))
    runner._hooks = [hook for hook in runner.hooks if not isinstance(hook, MeanTeacherHook)]
    with pytest.raises(DataError, match='never synchronised with the student: add mmssl.MeanTeacherHook'):
        runner.train()
    assert runner.iter == 0


class Alone(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return {'loss': self.layer.weight.sum()}


def test_a_model_without_a_teacher_is_refused(tmp_path):
    with pytest.raises(DataError, match='MeanTeacherHook: Alone has no student, expected student and teacher') as found:
        make_runner(tmp_path, model=Alone()).train()
    assert '\n' not in str(found.value)
