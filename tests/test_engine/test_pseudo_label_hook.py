"""PseudoLabelHook in a Runner with a model that leaves records, and on two gloo processes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import LoggerHook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmssl.apis.log_reading import read_run
from mmssl.engine.hooks.pseudo_label_hook import PseudoLabelHook
from mmssl.models.segmentors.mix_record import MixRecord

CLASSES = ('road', 'sky', 'tree')


def make_record(labels, confidence, masks=None) -> MixRecord:
    """Of two images of 2x2 pixels; the student predicts class 0 everywhere and the target is the pseudo-label."""
    labels = torch.tensor(labels).view(2, 2, 2)
    confidence = torch.tensor(confidence).view(2, 2, 2)
    rest = ((1 - confidence) / 2)[:, None].expand(2, 3, 2, 2)
    chosen = torch.where(labels == 255, 0, labels)[:, None]
    samples = []
    for index in range(2):
        sample = SegDataSample(metainfo={'img_path': f'images/{index}.png'})
        if masks is not None:
            sample.gt_sem_seg = PixelData(data=masks[index])
        samples.append(sample)
    images = torch.zeros(2, 3, 2, 2)
    return MixRecord(
        first_images=images,
        second_images=images,
        mixed_images=images,
        mask=torch.ones(2, 2, 2, dtype=torch.bool),
        mixed_target=labels,
        mixed_weight=torch.full((2, 2, 2), 0.25),
        pseudo_labels=labels,
        confidence=confidence,
        probabilities=rest.scatter(1, chosen, confidence[:, None]),
        student_logits=torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(2, 3, 2, 2),
        data_samples=samples,
    )


# Three of six pixels are confident; two are road, three sky, one tree.
RECORD = ([0, 0, 1, 255, 1, 1, 2, 255], [0.99, 0.97, 0.99, 1.0, 0.5, 0.5, 0.5, 1.0])


class Recorder(BaseModel):
    """Leaves a record when it is asked to, as the semi-supervised segmentor does, but not in the burn-in."""

    def __init__(self, burn_in: int = 0, records: bool = True):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.burn_in, self.seen, self.made = burn_in, 0, []
        if records:
            self.wants_record, self.record, self.template = False, None, make_record(*RECORD)

    def forward(self, inputs, mode='tensor'):
        if hasattr(self, 'wants_record'):
            self.record = None
            if self.wants_record and self.seen >= self.burn_in:
                self.made.append(self.seen)
                self.record = replace(self.template)
            self.wants_record = False
        self.seen += 1
        return {'loss': self.weight.sum()}


class Samples(torch.utils.data.Dataset):
    metainfo = {'classes': CLASSES}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return {'inputs': torch.zeros(3, 2, 2)}


@pytest.fixture
def make_runner(tmp_path):
    def make(hook: dict, model: dict | None = None, logger_interval: int = 2, max_iters: int = 6) -> Runner:
        cfg = Config(
            {
                'model': {'type': 'Recorder', **(model or {})},
                'work_dir': str(tmp_path),
                'experiment_name': f'{tmp_path.name}-{len(list(tmp_path.iterdir()))}',
                'train_dataloader': {
                    'dataset': {'type': 'Samples'},
                    'batch_size': 2,
                    'num_workers': 0,
                    'sampler': {'type': 'InfiniteSampler'},
                },
                'train_cfg': {'by_epoch': False, 'max_iters': max_iters},
                'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.1}},
                'default_hooks': {'checkpoint': None, 'logger': {'type': 'LoggerHook', 'interval': logger_interval}},
                'log_processor': {'by_epoch': False},
                'custom_hooks': [{'type': 'mmssl.PseudoLabelHook', **hook}],
            }
        )
        return Runner.from_cfg(cfg)

    MODELS.register_module(module=Recorder)
    DATASETS.register_module(module=Samples)
    yield make
    MODELS.module_dict.pop('Recorder')
    DATASETS.module_dict.pop('Samples')


def text_log(folder: Path) -> str:
    return '\n'.join(path.read_text() for path in folder.glob('*/*.log'))


def test_numbers_reach_the_log_after_the_burn_in(make_runner, tmp_path):
    runner = make_runner({'interval': 2}, {'burn_in': 3})
    runner.train()
    curves = read_run(tmp_path)
    assert curves.train['pseudo/confident_share'] == [(4, 0.5), (6, 0.5)]
    assert curves.train['pseudo/mean_confidence'] == [(step, pytest.approx(4.45 / 6)) for step in (4, 6)]
    p = torch.tensor([[0.99, 0.005, 0.005]] * 2 + [[0.97, 0.015, 0.015]] + [[0.5, 0.25, 0.25]] * 3)
    entropy = -(p * p.log()).sum(1).mean().item()
    assert curves.train['pseudo/entropy'] == [(step, pytest.approx(entropy, rel=1e-5)) for step in (4, 6)]
    assert curves.train['pseudo/agreement'] == [(step, pytest.approx(2 / 6)) for step in (4, 6)]
    assert curves.train['pseudo/weight'] == [(4, 0.25), (6, 0.25)]
    assert 'pseudo/mIoU' not in curves.keys
    shares = {name: curves.val[f'pseudo_labels/{name}'] for name in CLASSES}
    expected = {'road': 2 / 6, 'sky': 3 / 6, 'tree': 1 / 6}
    assert shares == {name: [(step, pytest.approx(share)) for step in (4, 6)] for name, share in expected.items()}
    assert 'pseudo-labels: sky 50.0 %, road 33.3 %, tree 16.7 %\n' in text_log(tmp_path)
    assert runner.model.made == [3, 5]  # at other iterations nothing is kept


def test_no_number_is_logged_again_later(make_runner, tmp_path):
    """mmengine logs the last value of a scalar until there is a new one."""
    make_runner({'interval': 3}, logger_interval=1).train()
    curves = read_run(tmp_path)
    assert [step for step, _ in curves.train['loss']] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in curves.train['pseudo/agreement']] == [3, 6]


def test_intervals_that_do_not_go_together_are_told(make_runner, tmp_path):
    make_runner({'interval': 3}, logger_interval=2).train()
    assert 'interval=3 and LoggerHook has [2]' in text_log(tmp_path)
    assert [step for step, _ in read_run(tmp_path).train['pseudo/agreement']] == [6]


def test_a_class_that_never_occurs_is_named(make_runner, tmp_path):
    runner = make_runner({'interval': 6})
    runner.model.template = make_record([0, 0, 0, 0, 0, 0, 0, 2], [1.0] * 8)
    runner.train()
    assert 'pseudo-labels: road 87.5 %, tree 12.5 %; none of sky\n' in text_log(tmp_path)


def test_a_model_with_more_classes_than_the_dataset(make_runner, tmp_path, monkeypatch):
    monkeypatch.setattr(Samples, 'metainfo', {'classes': CLASSES[:2]})
    make_runner({'interval': 6}).train()
    assert 'pseudo-labels: sky 50.0 %, road 33.3 %, class 2 16.7 %\n' in text_log(tmp_path)


def test_a_single_pixel_is_not_none(make_runner, tmp_path):
    runner = make_runner({'interval': 6})
    record = runner.model.template
    labels = torch.zeros(2, 50, 50, dtype=torch.long)
    labels[0, 0, 0] = 2
    large = torch.zeros(2, 3, 50, 50)
    tensors = {'probabilities': large, 'student_logits': large, 'confidence': large[:, 0], 'mixed_weight': large[:, 0]}
    runner.model.template = replace(record, pseudo_labels=labels, mixed_target=labels, **tensors)
    runner.train()
    assert 'pseudo-labels: road 100.0 %, tree <0.1 %; none of sky\n' in text_log(tmp_path)


def test_without_a_valid_pixel_nothing_is_written(make_runner, tmp_path):
    runner = make_runner({'interval': 6})
    runner.model.template = make_record([255] * 8, [1.0] * 8)
    runner.train()
    assert not [key for key in read_run(tmp_path).keys if key.startswith('pseudo')]


def masks(*rows):
    return torch.tensor(rows, dtype=torch.uint8).view(2, 1, 2, 2)


def test_comparison_with_masks(make_runner, tmp_path):
    runner = make_runner({'interval': 3, 'compare_with_masks': True}, logger_interval=3)
    runner.model.template = make_record(*RECORD, masks=masks([0, 1, 1, 0], [1, 1, 255, 2]))
    runner.train()
    # Five pixels in both: road 1 of 2, sky 3 of 4; tree occurs in neither, where both have a label.
    assert read_run(tmp_path).train['pseudo/mIoU'] == [(step, pytest.approx(62.5)) for step in (3, 6)]


@pytest.mark.parametrize(
    ('found', 'message'),
    [
        (None, r'images/0.png: the unlabelled sample has no mask; .*PackUnlabeledInputs with keep_masks=True'),
        (torch.zeros(2, 1, 4, 2), 'images/0.png: mask of 4x2, expected 2x2 as the image of the network'),
        (masks([0, 1, 1, 0], [1, 1, 255, 7]), r'has label 7, expected 0 to 2 or 255 \(ignored\)'),
    ],
)
def test_masks_that_cannot_be_compared(make_runner, found, message):
    runner = make_runner({'interval': 2, 'compare_with_masks': True})
    runner.model.template = make_record(*RECORD, masks=found)
    with pytest.raises(ValueError, match=f'^PseudoLabelHook: .*{message}'):
        runner.train()


def test_bad_options(make_runner):
    with pytest.raises(ValueError, match='PseudoLabelHook: interval=0, expected at least 1'):
        PseudoLabelHook(interval=0)
    with pytest.raises(ValueError, match='threshold=1.5, expected 0 to 1'):
        PseudoLabelHook(threshold=1.5)
    with pytest.raises(ValueError, match='Recorder leaves no record, expected mmssl.SemiSupervisedSegmentor'):
        make_runner({}, {'records': False}).train()
    assert LoggerHook.priority == 'BELOW_NORMAL'  # it reads after us
    assert PseudoLabelHook.priority == 'NORMAL'


RANKS = """
import json, os, sys, torch
from types import SimpleNamespace
sys.path.insert(0, sys.argv[2])
from test_pseudo_label_hook import CLASSES, make_record, masks
from mmengine.logging import MessageHub
from mmssl.engine.hooks.pseudo_label_hook import PseudoLabelHook

root, rank = sys.argv[1], int(os.environ['RANK'])
torch.distributed.init_process_group('gloo', init_method=f'file://{root}/store', rank=rank, world_size=2)
truth = masks([0, 0, 1, 0], [1, 1, 2, 0])
record = make_record([0] * 6 + [255] * 2 if rank else [1] * 2 + [255] * 6, [1.0] * 8, masks=truth)
hub, said = MessageHub.get_instance('ranks'), []
model = SimpleNamespace(wants_record=False, record=None)
runner = SimpleNamespace(
    model=model, iter=0, message_hub=hub, hooks=[], logger=SimpleNamespace(info=said.append),
    visualizer=SimpleNamespace(add_scalars=lambda scalars, step: said.append([scalars, step])),
    train_dataloader=SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=CLASSES))))
hook = PseudoLabelHook(interval=1, compare_with_masks=True)
hook.before_train(runner)
hook.before_train_iter(runner, 0)
assert model.wants_record
model.record = record
hook.after_train_iter(runner, 0)
scalars = {key: value.current() for key, value in hub.log_scalars.items()}
if rank:
    del record.data_samples[1].gt_sem_seg
try:
    hook.after_train_iter(runner, 0)
except ValueError as error:
    fault = str(error)
with open(f'{root}/{rank}.json', 'w') as file:
    json.dump(dict(scalars=scalars, said=said, fault=fault), file)
"""


def test_two_processes_write_what_both_saw(tmp_path, run_on_two_ranks):
    run_on_two_ranks(RANKS, tmp_path)
    first, second = (json.loads((tmp_path / f'{rank}.json').read_text()) for rank in range(2))
    assert first['scalars'] == second['scalars']
    # Two pixels of one process and six of the other weigh as eight pixels, of which the student agrees with six.
    assert first['scalars']['train/pseudo/agreement'] == 0.75
    assert first['scalars']['train/pseudo/confident_share'] == 1
    # Truth and label, over both: road 3 hits of 8, sky and tree none.
    assert first['scalars']['train/pseudo/mIoU'] == pytest.approx(100 * (3 / 8) / 2)
    shares, line = first['said']
    assert shares == [{'pseudo_labels/road': 0.75, 'pseudo_labels/sky': 0.25, 'pseudo_labels/tree': 0}, 1]
    assert line == 'pseudo-labels: road 75.0 %, sky 25.0 %; none of tree'
    assert second['said'] == []
    assert first['fault'] == 'PseudoLabelHook: the masks of another process do not fit'
    assert 'images/1.png: the unlabelled sample has no mask' in second['fault']
