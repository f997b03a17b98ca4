"""Validation of student and teacher: the numbers of two evaluations, from one pass over the data."""

import numpy as np
import pytest
import torch
from mmengine.hooks import CheckpointHook, Hook
from test_mean_teacher_hook import CLASSES, SIZE, Watch, make_runner, scrambled, semi_cfg

from mmssl.registry import MODELS
from mmssl.testing import segmentation_batch

pytestmark = pytest.mark.usefixtures('mmseg_scope')
NETWORKS = ('student', 'teacher')


class Masks(torch.utils.data.Dataset):
    """Images with masks that count how often they are loaded."""

    def __init__(self, number=5):
        self.metainfo = {'classes': [f'class{index}' for index in range(CLASSES)]}
        self.number = number
        self.loads = 0

    def __len__(self):
        return self.number

    def __getitem__(self, index):
        self.loads += 1
        batch = segmentation_batch(CLASSES, batch_size=1, size=SIZE, seed=100 + index)
        return {key: of[0] for key, of in batch.items()}


class Kept(Hook):
    """The metrics of each validation, and what hooks see of it."""

    def __init__(self):
        self.metrics, self.predictions, self.networks = [], [], set()

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.predictions += [sample.pred_sem_seg.data[0] for sample in outputs]
        self.networks.add(runner.model.predict_on)

    def after_val_epoch(self, runner, metrics=None):
        self.metrics.append(metrics)


def validated(root, *hooks, iters=4, interval=1, options=None, **kwargs):
    """A runner whose model is validated every ``interval`` iterations."""
    runner = make_runner(
        root,
        *hooks,
        model=semi_cfg(**(options or {})),
        iters=iters,
        val_dataloader={
            'batch_size': 2,
            'num_workers': 0,
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'dataset': Masks(),
            'collate_fn': {'type': 'pseudo_collate'},
        },
        val_cfg={'type': 'mmssl.StudentTeacherValLoop'},
        val_evaluator={'type': 'mmssl.PerClassIoUMetric', 'iou_metrics': ['mIoU']},
        **kwargs,
    )
    runner._train_loop['val_interval'] = interval
    return runner


@torch.no_grad()
def by_hand(model, name: str) -> tuple[float, list]:
    """Mean IoU in percent of one network alone, class by class; and its predictions."""
    network = {'student': model.student, 'teacher': model.teacher.model}[name].eval()
    hits, union, predictions = np.zeros(CLASSES), np.zeros(CLASSES), []
    for sample in (Masks()[index] for index in range(5)):
        data = model.data_preprocessor.branch({key: [value] for key, value in sample.items()}, False)
        labels = network(data['inputs'], mode='tensor').argmax(1)[0]
        truth = sample['data_samples'].gt_sem_seg.data[0]
        predictions.append(labels)
        for k in range(CLASSES):
            one, other = (labels == k) & (truth != 255), truth == k
            hits[k] += int((one & other).sum())
            union[k] += int((one | other).sum())
    return float(np.nanmean(hits / union) * 100), predictions


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A checkpoint whose student and teacher are two networks."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmseg')
    state = scrambled(MODELS.build(semi_cfg()))
    torch.manual_seed(2)
    for name, value in state.items():  # weights around zero, so that several classes are predicted
        if name.endswith(('weight', 'bias')):
            value.copy_(torch.randn(value.shape) * 0.3)
    path = tmp_path_factory.mktemp('trained') / 'trained.pth'
    torch.save({'state_dict': state}, path)
    return str(path)


@pytest.mark.parametrize('predict_on', NETWORKS)
@pytest.mark.parametrize('burn_in', [0, 3])
def test_metrics_are_those_of_separate_evaluations(tmp_path, trained, predict_on, burn_in):
    """Also of a checkpoint that is only validated, where the loop has made no iteration of a burn-in."""
    kept = Kept()
    runner = validated(tmp_path, kept, options={'predict_on': predict_on, 'burn_in': burn_in}, load_from=trained)
    metrics = runner.val()
    assert runner.val_dataloader.dataset.loads == 5
    expected = {name: by_hand(runner.model, name) for name in NETWORKS}
    assert abs(expected['student'][0] - expected['teacher'][0]) > 0.5
    assert len({int(label) for _, found in expected.values() for label in torch.stack(found).unique()}) > 1
    for name in NETWORKS:
        assert metrics[f'{name}/mIoU'] == pytest.approx(expected[name][0], abs=0.006)  # mmseg gives two digits
    plain = {key: value for key, value in metrics.items() if '/' not in key}
    assert plain == {key: metrics[f'{predict_on}/{key}'] for key in plain} and len(plain) == 3
    assert len(metrics) == 9 and list(metrics)[:3] == list(plain)
    assert kept.networks == {predict_on} == {runner.model.predict_on}
    assert all(torch.equal(*pair) for pair in zip(kept.predictions, expected[predict_on][1], strict=True))


@pytest.mark.parametrize('predict_on', NETWORKS)
def test_during_the_burn_in_there_is_a_student_only(tmp_path, predict_on):
    kept, watch = Kept(), Watch()
    runner = validated(tmp_path, kept, watch, options={'burn_in': 2, 'predict_on': predict_on})
    runner.train()
    for metrics in kept.metrics[:2]:
        assert set(metrics) == {'aAcc', 'mIoU', 'mAcc', 'student/aAcc', 'student/mIoU', 'student/mAcc'}
        assert metrics['mIoU'] == metrics['student/mIoU']
    for metrics in kept.metrics[2:]:
        assert len(metrics) == 9
        assert metrics['mIoU'] == metrics[f'{predict_on}/mIoU']
    assert kept.networks == {predict_on}
    last = runner.model
    assert kept.metrics[-1]['teacher/mIoU'] == pytest.approx(by_hand(last, 'teacher')[0], abs=0.006)
    assert kept.metrics[-1]['student/mIoU'] == pytest.approx(by_hand(last, 'student')[0], abs=0.006)


def test_a_validation_changes_nothing_of_the_training(tmp_path):
    with_validation, without = Watch(), Watch()
    validated(tmp_path, with_validation, iters=3).train()
    make_runner(tmp_path, without, iters=3).train()
    assert with_validation.losses == without.losses
    assert all(torch.equal(with_validation.after[-1][name], value) for name, value in without.after[-1].items())


def test_metrics_of_one_validation_are_not_in_the_next(tmp_path, trained):
    runner = validated(tmp_path, load_from=trained)
    assert runner.val() == runner.val()


@pytest.mark.parametrize(('key', 'name'), [('auto', 'aAcc'), ('mIoU', 'mIoU'), ('teacher/mIoU', 'teacher_mIoU')])
def test_the_best_checkpoint_is_chosen_by_any_of_them(tmp_path, key, name):
    saver = CheckpointHook(interval=-1, by_epoch=False, save_best=key, rule='greater')
    validated(tmp_path, iters=1, default_hooks={'checkpoint': saver, 'logger': None}).train()
    (best,) = tmp_path.glob('run*/best_*.pth')
    assert best.name == f'best_{name}_iter_1.pth'


def test_the_choice_outlives_an_error(tmp_path, trained, monkeypatch):
    runner = validated(tmp_path, load_from=trained)
    monkeypatch.setattr(type(runner.val_loop.evaluators['teacher']), 'process', broken)
    with pytest.raises(RuntimeError, match='disk full'):
        runner.val()
    assert runner.model.predict_on == 'student'


def broken(self, data_samples, data_batch=None):
    raise RuntimeError('disk full')
