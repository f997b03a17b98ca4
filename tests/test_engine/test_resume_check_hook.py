"""What changed since a checkpoint was written is told, on every rank, before anything is taken over."""

import os
import time

import pytest
import torch
from forked_runs import run_ranks
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from torch import nn

from mmssl.apis.cpu_distributed import CPUDistributedDataParallel  # noqa: F401, registered by it
from mmssl.apis.failing_ranks import end_at_once
from mmssl.apis.one_line_errors import one_line_errors
from mmssl.engine.run_record import RECORD
from mmssl.errors import DataError
from mmssl.tensor_file import read_tensor_file

ON_RANKS = {'type': 'CPUDistributedDataParallel', 'device_ids': None}
ITER, EPOCH = 'mmssl.ResumableIterBasedTrainLoop', 'mmssl.ResumableEpochBasedTrainLoop'


@MODELS.register_module()
class LinearNet(BaseModel):
    """Its loss depends on the sample, its augmentation and a draw of the model."""

    def __init__(self, width: int = 3):
        super().__init__()
        self.layer = nn.Linear(width, 1)

    def forward(self, inputs, mode='tensor'):
        dropped = nn.functional.dropout(torch.stack(inputs), 0.5)
        return {'loss': (self.layer(dropped) - 1).square().mean()}


@DATASETS.register_module()
class ListedItems(BaseDataset):
    """Counts what is loaded."""

    loaded = []

    def __init__(self, number: int = 10, folder: str = '/old', classes=('road', 'sky'), size=16, **kwargs):
        self.number, self.folder, self.size = number, folder, size
        super().__init__(metainfo={'classes': list(classes)}, data_root=folder, **kwargs)

    def load_data_list(self):
        return [{'img_path': f'{self.folder}/{index}.png', 'value': index} for index in range(self.number)]

    def __getitem__(self, index):
        self.loaded.append(index)
        return {'inputs': torch.randn(3) + index}


def runner(
    work_dir,
    loop=ITER,
    length=6,
    interval=3,
    resume=None,
    allowed=(),
    batch_size=2,
    seed=4,
    keep=-1,
    model='LinearNet',
    launcher='none',
    **data,
) -> Runner:
    """A training in which all is drawn: samples, their values, and what the model drops."""
    by_epoch = loop == EPOCH
    limit = {'max_epochs': length} if by_epoch else {'max_iters': length}
    sampler = 'DefaultSampler' if by_epoch else 'mmssl.InfiniteSampler'
    return Runner(
        model={'type': model, 'width': data.pop('width', 3)},
        work_dir=str(work_dir),
        experiment_name=f'run-{time.monotonic_ns()}',
        train_dataloader={
            'dataset': {'type': 'ListedItems', **data},
            'sampler': {'type': sampler, 'shuffle': True},
            'batch_size': batch_size,
            'num_workers': 0,
        },
        train_cfg={'type': loop, **limit},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.01, 'momentum': 0.9}},
        default_hooks={
            'checkpoint': {
                'type': 'mmssl.AtomicCheckpointHook',
                'interval': interval,
                'by_epoch': by_epoch,
                'max_keep_ckpts': keep,
            },
            'resume_check': {'type': 'mmssl.ResumeCheckHook', 'allowed': allowed},
        },
        randomness={'seed': seed},
        launcher=launcher,
        cfg={}
        if launcher == 'none'
        else {'model_wrapper_cfg': {'type': 'CPUDistributedDataParallel', 'device_ids': None}},
        load_from=None if resume is None else str(resume),
        resume=resume is not None,
    )


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('run')
    runner(work_dir).train()
    return work_dir / 'iter_3.pth'


def weights(path) -> torch.Tensor:
    return read_tensor_file(path, 'checkpoint')['state_dict']['layer.weight']


def test_a_checkpoint_says_with_what_it_was_trained(checkpoint):
    record = read_tensor_file(checkpoint, 'checkpoint')[RECORD]
    assert record.pop('data') == record_of_moved_files(checkpoint)
    assert record == {
        'world_size': 1,
        'batch_size': 2,
        'seed': 4,
        'classes': ['road', 'sky'],
        'images': 10,
        'sampler_seed': 4,
        'epoch_length': 5,
    }


def record_of_moved_files(checkpoint) -> str:
    """The list is the same where the whole folder was moved."""
    from mmssl.datasets.data_list_digest import data_list_digest

    return data_list_digest(ListedItems(folder='/elsewhere/new'))


@pytest.mark.parametrize(
    ('changed', 'told'),
    [
        ({'batch_size': 3}, r'images a process and iteration \(2 then, 3 now\)'),
        ({'number': 11}, r'training data \(10 images then, 11 now\)'),
        ({'indices': [1, 0, *range(2, 10)]}, r'training data \(other files among 10 images\)'),
        ({'classes': ('road', 'tree')}, r"classes \(2 then, 2 now, first 'sky' then 'tree'\)"),
        ({'classes': ('road',)}, r'classes \(2 then, 1 now\)'),
        ({'seed': 5}, r'seed \(4 then, 5 now\)'),
    ],
)
def test_a_change_is_an_error_unless_it_is_allowed(tmp_path, checkpoint, changed, told):
    with pytest.raises(DataError, match=rf'iter_3.pth: {told} changed since it was written; --allow-changes') as caught:
        runner(tmp_path, resume=checkpoint, **changed).train()
    names = str(caught.value).split('--allow-changes ')[1].split(' goes on')[0].split()
    assert len(names) == 1
    runner(tmp_path, resume=checkpoint, allowed=names, **changed).train()
    assert (tmp_path / 'iter_6.pth').is_file()


def resume_on_ranks(work_dir: str, checkpoint: str, allowed: tuple) -> None:
    torch.distributed.init_process_group('gloo')
    with one_line_errors(DataError), end_at_once(True):
        runner(work_dir, resume=checkpoint, allowed=allowed, launcher='pytorch').train()
    os._exit(0)  # threads of the group abort an interpreter that ends beside them now and then


@pytest.mark.parametrize('allowed', [(), ('world_size',)])
def test_another_number_of_processes_is_an_error_on_each(tmp_path, checkpoint, allowed):
    log = tmp_path / 'log'
    codes = run_ranks(resume_on_ranks, str(tmp_path / 'run'), str(checkpoint), allowed, log=log)
    printed = [(tmp_path / f'log.{rank}').read_text() for rank in (0, 1)]
    assert codes == ([0, 0] if allowed else [1, 1]), printed
    for text in printed:
        told = 'iter_3.pth: processes (1 then, 2 now) changed since it was written; --allow-changes world_size' in text
        assert told is not bool(allowed), text


def test_another_model_is_an_error(tmp_path, checkpoint):
    with pytest.raises(DataError, match=r'1 of 2 tensors fit the model; first that does not: layer.weight is \(1, 3\)'):
        runner(tmp_path, resume=checkpoint, width=4).train()


def test_a_run_without_a_seed_goes_on_with_its_own(tmp_path):
    runner(tmp_path / 'whole', seed=None).train()
    runner(tmp_path / 'resumed', seed=None, resume=tmp_path / 'whole/iter_3.pth').train()
    assert torch.equal(weights(tmp_path / 'whole/iter_6.pth'), weights(tmp_path / 'resumed/iter_6.pth'))


def test_an_unknown_name_is_an_error():
    from mmssl.engine.hooks import ResumeCheckHook

    with pytest.raises(ValueError, match=r"allowed has \['lr'\], expected some of world_size"):
        ResumeCheckHook(allowed=['lr'])


def test_a_checkpoint_of_others_is_resumed_with_a_warning(tmp_path, checkpoint, caplog):
    content = read_tensor_file(checkpoint, 'checkpoint')
    del content[RECORD]
    torch.save(content, tmp_path / 'theirs.pth')
    run = runner(tmp_path / 'run', resume=tmp_path / 'theirs.pth')
    run.train()
    assert "no 'run_record' in it" in (tmp_path / 'run' / run.timestamp / f'{run.timestamp}.log').read_text()


def test_the_middle_of_an_epoch_is_continued_there(tmp_path):
    """mmengine would begin the epoch anew."""
    whole = runner(tmp_path / 'whole', EPOCH, length=3, interval=1)
    whole.train()
    first = runner(tmp_path / 'first', EPOCH, length=3, interval=10)

    class StopError(Exception):
        pass

    save = first.train_loop.run_iter

    def leave(index, batch):
        save(index, batch)
        if first.iter == 7:  # the second of the second epoch, whose hooks saw 6
            first.train_loop._iter -= 1
            first.save_checkpoint(str(tmp_path), 'middle.pth', by_epoch=False)
            raise StopError

    first.train_loop.run_iter = leave
    with pytest.raises(StopError):
        first.train()
    assert read_tensor_file(tmp_path / 'middle.pth', 'checkpoint')['meta']['iter'] == 7
    resumed = runner(tmp_path / 'resumed', EPOCH, length=3, interval=1, resume=tmp_path / 'middle.pth')
    ListedItems.loaded.clear()
    resumed.train()
    assert len(ListedItems.loaded) == (15 - 7) * 2
    assert resumed.iter == whole.iter == 15
    for name in ('epoch_2.pth', 'epoch_3.pth'):
        assert torch.equal(weights(tmp_path / 'whole' / name), weights(tmp_path / 'resumed' / name))


def test_epochs_of_another_length_are_continued_at_the_same_share(tmp_path):
    runner(tmp_path, EPOCH, length=2, interval=1).train()
    longer = runner(
        tmp_path / 'more', EPOCH, length=3, interval=1, resume=tmp_path / 'epoch_2.pth', number=20, allowed=['data']
    )
    longer.train()
    assert (longer.epoch, longer.iter) == (3, 30)


def test_resuming_takes_no_longer_after_a_hundred_thousand_iterations(tmp_path, checkpoint):
    content = read_tensor_file(checkpoint, 'checkpoint')
    content['meta']['iter'] = 10**5
    torch.save(content, tmp_path / 'late.pth')
    late = runner(tmp_path / 'late', resume=tmp_path / 'late.pth', length=10**5 + 2)
    ListedItems.loaded.clear()
    begun = time.perf_counter()
    late.train()
    assert time.perf_counter() - begun < 5
    assert late.iter == 10**5 + 2
    assert len(ListedItems.loaded) == 4


def test_a_validation_that_a_kill_took_is_made_up_for(tmp_path):
    from mmengine.evaluator import BaseMetric, Evaluator

    class Seen(BaseMetric):
        seen = []

        def process(self, data_batch, data_samples):
            self.results.append(0)

        def compute_metrics(self, results):
            self.seen.append(len(results))
            return {'score': 1.0}

    def validated(resume=None):
        run = runner(tmp_path, resume=resume)
        run._val_loop = {'type': 'ValLoop'}
        run._val_dataloader = {
            'dataset': {'type': 'ListedItems'},
            'sampler': {'type': 'DefaultSampler'},
            'batch_size': 2,
        }
        run._val_evaluator = Evaluator(Seen())
        run._val_loop = run.build_val_loop(run._val_loop)
        run.train_loop.val_interval = 3
        run.train_loop.dynamic_intervals = [3]
        run.model.val_step = lambda batch: [None]
        run.train()

    validated()
    assert len(Seen.seen) == 2
    validated(tmp_path / 'iter_3.pth')
    assert len(Seen.seen) == 4  # after 3, which a kill may have taken, and after 6
