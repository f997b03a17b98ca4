"""Pretext tasks beside ClassMix in a Runner, with every hook of such a recipe and the loop of two networks."""

import copy

import cv2
import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from multi_task_cases import COLOURS, NORM
from test_mean_teacher_hook import Watch, differing, make_runner, part, segmentor_cfg, semi_cfg
from test_semi_supervised_training import camvid, pairs  # noqa: F401, the first is a fixture

from mmssl.errors import DataError
from mmssl.models.segmentors.semi_supervised import SemiSupervisedSegmentor
from mmssl.registry import MODELS
from mmssl.transfer.semi_supervised_checkpoints import network_weights

pytestmark = pytest.mark.usefixtures('mmseg_scope')
SIZE, CLASSES = (64, 64), 11
LOAD = {'type': 'mmssl.LoadStreetScene', 'with_labels': False}
COLOUR = {  # its data preprocessor is the segmentor's
    'type': 'EncoderDecoder',
    'decode_head': {'type': 'mmssl.ColorizationHead', 'in_channels': 16, 'norm_cfg': NORM},
    'train_cfg': {},
    'test_cfg': {'mode': 'whole'},
}
ROTATION = {
    '_scope_': 'mmpretrain',
    'type': 'ImageClassifier',
    'data_preprocessor': {'type': 'ClsDataPreprocessor', **COLOURS, 'to_rgb': True},
    'head': {'type': 'mmssl.PretextClsHead', 'num_classes': 4, 'in_channels': 16},
}
TARGETS = {
    'colour': [{'type': 'mmssl.ColorizationTarget'}, {'type': 'mmssl.PackPretextInputs', 'pixel_keys': ('gt_ab',)}],
    'rotation': [{'type': 'mmssl.RotationTarget'}, {'type': 'mmpretrain.PackInputs'}],
}
HOOKS = [
    {'type': 'mmssl.ClassWeightHook', 'cache_dir': None},
    {'type': 'mmssl.FoldNormHook'},
    {'type': 'mmssl.StrictLoadHook'},
    {'type': 'mmssl.ClassShareHook', 'cache_dir': None},
    {'type': 'mmssl.PairedDataCheckHook'},
    {'type': 'mmssl.PseudoLabelHook', 'interval': 1},
    {'type': 'mmssl.MixPictureHook', 'interval': 2},
]
PREFIX = 'segmentor.'


def semi(size=SIZE, **options) -> dict:
    cfg = segmentor_cfg(num_classes=CLASSES, size=size)
    cfg['decode_head']['loss_decode'] = {'type': 'mmssl.WeightedCrossEntropyLoss', 'class_weight': 'enet'}
    defaults = {'distribution_alignment': {'target': 'labeled'}, 'augmentations': [{'type': 'mmssl.BatchColorJitter'}]}
    return semi_cfg(cfg, **{**defaults, **options})


def joint(weight: float = 0.1, mode: str = 'joint', inner: dict | None = None) -> dict:
    tasks = {name: {'model': cfg, 'weight': weight} for name, cfg in {'colour': COLOUR, 'rotation': ROTATION}.items()}
    return {'type': 'mmssl.MultiTaskSegmentor', 'segmentor': inner or semi(), 'tasks': tasks, 'mode': mode}


def scenes(pipeline: list[dict], seed: int = 0, load: dict = LOAD) -> dict:
    cfg = {'type': 'mmssl.StreetScenesDataset', 'num_images': 5, 'size': SIZE, 'seed': seed}
    return {**cfg, 'pipeline': [load, *pipeline]}


def scene_pairs(*steps: dict) -> dict:
    labeled = scenes([*steps, {'type': 'PackSegInputs'}], load={'type': 'mmssl.LoadStreetScene'})
    unlabeled = scenes([*steps, {'type': 'mmssl.PackUnlabeledInputs'}], seed=1)
    return {'type': 'mmssl.PairedDataset', 'labeled': labeled, 'unlabeled': unlabeled}


def beside(segmentation: dict, images=scenes) -> dict:
    """The segmentation's images with those of the tasks."""
    tasks = {name: images(target) for name, target in TARGETS.items()}
    return {'type': 'mmssl.MultiTaskSegDataset', 'segmentation': segmentation, 'tasks': tasks}


class Metrics(Hook):
    def __init__(self):
        self.found = []

    def after_val_epoch(self, runner, metrics=None):
        self.found.append(metrics)

    after_test_epoch = after_val_epoch


def runner_of(root, *hooks, several: bool, model: dict, dataset: dict, **options):
    """A runner with all hooks, that validates every second iteration."""
    validation = {
        'batch_size': 2,
        'num_workers': 0,
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'dataset': scenes([{'type': 'PackSegInputs'}], seed=2, load={'type': 'mmssl.LoadStreetScene'}),
    }
    evaluator = {'type': 'mmssl.PerClassIoUMetric', 'iou_metrics': ['mIoU']}
    runner = make_runner(
        root,
        *([{'type': 'mmssl.MultiTaskHook'}] if several else []),
        *copy.deepcopy(HOOKS),
        *hooks,
        model=model,
        dataset=dataset,
        sampler={'type': f'mmssl.{"MultiTask" if several else "Paired"}InfiniteSampler'},
        val_dataloader=validation,
        val_cfg={'type': 'mmssl.StudentTeacherValLoop'},
        val_evaluator=evaluator,
        test_dataloader=copy.deepcopy(validation),
        test_cfg={},
        test_evaluator=copy.deepcopy(evaluator),
        **options,
    )
    runner._train_loop['val_interval'] = 2
    return runner


def inner(state: dict) -> dict:
    return part(state, PREFIX)


def pseudo_labels(runner) -> dict:
    scalars = runner.message_hub.log_scalars
    return {key: value.data[0].tolist() for key, value in scalars.items() if key.startswith('train/pseudo/')}


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    """The same weights for a joint model and for the semi-supervised one alone."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmseg')
    torch.manual_seed(0)
    folder, state = tmp_path_factory.mktemp('start'), MODELS.build(joint()).state_dict()
    torch.save({'state_dict': state}, folder / 'joint.pth')
    torch.save({'state_dict': inner(state)}, folder / 'plain.pth')
    return folder


@pytest.fixture(scope='module')
def plain(start, tmp_path_factory):
    """The semi-supervised training alone."""
    root = tmp_path_factory.mktemp('plain')
    return finished(root, several=False, model=semi(), dataset=scene_pairs(), load_from=str(start / 'plain.pth'))


def finished(root, iters=4, **options):
    watch, metrics = Watch(), Metrics()
    runner = runner_of(root, watch, metrics, iters=iters, **options)
    runner.train()
    runner.test()
    return runner, watch, metrics.found, root


@pytest.mark.parametrize('mode', ['joint', 'sequential'])
def test_without_weights_every_hook_and_the_loop_do_as_alone(tmp_path, start, plain, mode):
    """Both networks, statistics of pseudo-labels, class weights, pictures and metrics, all bit by bit."""
    found = finished(
        tmp_path,
        several=True,
        model=joint(weight=0.0, mode=mode),
        dataset=beside(scene_pairs()),
        load_from=str(start / 'joint.pth'),
    )
    (one, watch, metrics, root), (other, expected, expected_metrics, other_root) = found, plain
    for state, their in zip([watch.start, *watch.after], [expected.start, *expected.after], strict=True):
        assert differing(inner(state), their) == []
    assert differing(expected.start, expected.after[-1])
    assert metrics == expected_metrics and len(metrics) == 3
    assert {'mIoU', 'student/mIoU', 'teacher/mIoU'} < set(metrics[0])
    assert pseudo_labels(one) == pseudo_labels(other)
    assert all(len(values) == 4 for values in pseudo_labels(one).values()) and len(pseudo_labels(one)) == 5
    weights = [runner_weights(model) for model in (one.model.segmentor, other.model)]
    assert torch.equal(*weights) and len(weights[0]) == CLASSES and not torch.equal(weights[0], torch.ones(CLASSES))
    alignments = [model.strong_view.alignment.target for model in (one.model.segmentor, other.model)]
    assert torch.equal(*alignments) and alignments[0].sum() == pytest.approx(1)
    drawn = [{path.name: path for path in folder.rglob('mix_*.png')} for folder in (root, other_root)]
    assert len(drawn[0]) == 3 and drawn[0].keys() == drawn[1].keys()  # the first, and every second iteration
    for name, path in drawn[0].items():
        assert np.array_equal(cv2.imread(str(path)), cv2.imread(str(drawn[1][name])))


def runner_weights(model) -> torch.Tensor:
    return model.student.decode_head.loss_decode.class_weight.cpu()


@pytest.mark.parametrize('mode', ['joint', 'sequential'])
def test_with_weights_the_tasks_learn_too(tmp_path, start, plain, monkeypatch, mode):
    told, tell = [], SemiSupervisedSegmentor.begin_iteration

    def spy(self, iteration, seed):
        told.append((iteration, seed))
        tell(self, iteration, seed)

    monkeypatch.setattr(SemiSupervisedSegmentor, 'begin_iteration', spy)
    options = {'model': joint(mode=mode), 'dataset': beside(scene_pairs()), 'load_from': str(start / 'joint.pth')}
    runner, watch, metrics, _ = finished(tmp_path, iters=3, several=True, **options)
    # MeanTeacherHook and MultiTaskHook say the same.
    assert told == [(iteration, 0) for iteration in range(3) for _ in range(2)]
    assert [int(state['segmentor.teacher.steps']) for state in watch.after] == [1, 2, 3]
    losses, alone = watch.losses[0], plain[1].losses[0]
    assert losses['segmentation.unweighted'] == alone['loss']
    assert losses['segmentation.decode.ce'] == alone['decode.loss_ce']
    assert losses['segmentation.unlabeled'] == alone['loss_unlabeled']
    total = losses['segmentation.unweighted'] + 0.1 * (losses['colour.unweighted'] + losses['rotation.unweighted'])
    assert losses['loss'] == pytest.approx(total, rel=1e-6)
    # Running statistics of the first step are those of photographs; weights are not what they are without tasks.
    first, their = inner(watch.after[0]), plain[1].after[0]
    changed = [name for name in differing(first, their) if name.startswith('student.backbone')]
    assert changed and not any('running' in name or 'num_batches' in name for name in changed)
    assert any(name.startswith('tasks.colour.decode_head') for name in differing(watch.start, watch.after[-1]))
    assert not any(name.startswith('teacher') for name in runner.model.tasks.state_dict())


def random_pairs() -> dict:
    return scene_pairs({'type': 'RandomFlip', 'prob': 0.5})


@pytest.mark.parametrize('burn_in', [0, 3])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, burn_in):
    """The teacher is that of the checkpoint, not a new copy."""
    saver = {'type': 'CheckpointHook', 'interval': 2, 'by_epoch': False, 'max_keep_ckpts': 5}
    balance = {'type': 'mmssl.GradNormBalance'}
    options = {
        'several': True,
        'model': {**joint(inner=semi(burn_in=burn_in, teacher={'alpha': 0.9, 'ramp': False})), 'balance': balance},
        'dataset': beside(random_pairs()),
        'iters': 4,
        'default_hooks': {'logger': None, 'checkpoint': saver},
    }
    whole, resumed = Watch(), Watch()
    runner_of(tmp_path, whole, **copy.deepcopy(options)).train()
    (path,) = tmp_path.glob('run*/iter_2.pth')
    runner_of(tmp_path, resumed, resume=True, load_from=str(path), **options).train()
    assert differing(resumed.start, whole.after[1]) == []
    assert resumed.losses == whole.losses[2:]
    for one, other in zip(resumed.after, whole.after[2:], strict=True):
        assert differing(one, other) == []
    last = inner(resumed.after[-1])
    assert int(last['teacher.steps']) == 4 - burn_in
    assert differing(part(last, 'student.'), part(last, 'teacher.model.'))

    state = torch.load(path.parent / 'iter_4.pth', weights_only=True)['state_dict']
    network = MODELS.build(segmentor_cfg(num_classes=CLASSES, size=SIZE))
    for which in ('student', 'teacher'):
        network.load_state_dict(network_weights(state, which), strict=True)
        expected = part(last, {'student': 'student.', 'teacher': 'teacher.model.'}[which])
        assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())


def test_masks_of_unlabelled_images_change_nothing(camvid, tmp_path):  # noqa: F811
    """Absent, present or noise: the joint training is the same bit by bit."""
    size = (64, 96)  # of test_semi_supervised_training

    def images(target: list[dict]) -> dict:
        side = pairs(camvid, 'no masks')['unlabeled']
        # A square to turn; for colours the size to which the segmentation's data preprocessor pads.
        scale = (64, 64) if target is TARGETS['rotation'] else (96, 64)
        resize = {'type': 'Resize', 'scale': scale, 'keep_ratio': False}
        return {**side, 'pipeline': [{'type': 'mmssl.LoadImage'}, resize, *target]}

    found = {}
    for kind in ('no masks', 'noise', 'other images'):
        options = {'model': joint(inner=semi(size)), 'dataset': beside(pairs(camvid, kind), images)}
        found[kind] = Watch()
        make_runner(
            tmp_path,
            {'type': 'mmssl.MultiTaskHook'},
            *copy.deepcopy(HOOKS[:5]),
            found[kind],
            sampler={'type': 'mmssl.MultiTaskInfiniteSampler'},
            iters=2,
            **options,
        ).train()
    first = found['no masks']
    assert found['noise'].losses == first.losses
    assert differing(found['noise'].after[-1], first.after[-1]) == []
    others = found['other images'].losses[0]
    assert others['segmentation.decode.ce'] == first.losses[0]['segmentation.decode.ce']
    assert others['segmentation.unlabeled'] != first.losses[0]['segmentation.unlabeled']


@pytest.mark.parametrize(
    ('dataset', 'message'),
    [
        (beside(scene_pairs()['labeled']), 'dataset.segmentation is StreetScenesDataset, expected mmssl.PairedDataset'),
        (scene_pairs(), 'a batch without tasks, expected those of mmssl.MultiTaskSegDataset'),
    ],
)
def test_images_that_do_not_fit_are_told(tmp_path, dataset, message):
    hooks = [{'type': 'mmssl.MultiTaskHook'}, {'type': 'mmssl.PairedDataCheckHook'}]
    model = joint(inner=semi_cfg(segmentor_cfg(CLASSES, SIZE)))
    with pytest.raises(DataError, match=message):
        make_runner(tmp_path, *hooks, model=model, dataset=dataset).train()


def test_a_sampler_of_fixed_pairs_is_warned_of(tmp_path, caplog):
    from mmssl.engine.hooks.paired_data_check_hook import PairedDataCheckHook

    model = joint(inner=semi_cfg(segmentor_cfg(CLASSES, SIZE)))
    runner = make_runner(tmp_path, model=model, dataset=beside(scene_pairs()))
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    told = []
    runner.logger.warning = told.append
    PairedDataCheckHook()._check(runner)
    assert len(told) == 1 and told[0].endswith('expected mmssl.MultiTaskInfiniteSampler')
