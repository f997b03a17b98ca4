"""Student and teacher on two gloo processes: gradients of the joint batch, and data that do not divide."""

import os
from pathlib import Path

import pytest
import torch
from forked_runs import run_ranks
from resume_cases import short_config
from test_mean_teacher_hook import CLASSES, SIZE, semi_cfg
from torch import nn

from mmssl.registry import MODELS
from mmssl.testing import paired_batch

PAIRS = 4


class NothingPasted(nn.Module):
    """A mixing whose images are the unlabelled ones, whatever else is in the batch."""

    def draw(self, labels, generator=None):
        return torch.zeros_like(labels, dtype=torch.bool)


def joint_batch() -> dict:
    """Pairs whose masks are labelled everywhere, so that each rank's mean is over as many pixels."""
    batch = paired_batch(CLASSES, batch_size=PAIRS, size=SIZE)
    for sample in batch['data_samples']['labeled']:
        sample.gt_sem_seg.data[sample.gt_sem_seg.data == 255] = 1
    return batch


def part_of(batch: dict, pairs: slice) -> dict:
    return {key: {side: list(values)[pairs] for side, values in sides.items()} for key, sides in batch.items()}


class InDouble(nn.Module):
    """The loss of a model of double precision, whose sums do not hide a difference."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, batch):
        data = self.model.data_preprocessor(batch, True)
        inputs = {side: images.double() for side, images in data['inputs'].items()}
        losses = self.model.loss(inputs, data['data_samples'])
        return sum(value for name, value in losses.items() if 'loss' in name)


def build() -> InDouble:
    from mmengine.registry import init_default_scope

    init_default_scope('mmseg')
    MODELS.register_module(module=NothingPasted, force=True)
    torch.manual_seed(0)
    model = MODELS.build(semi_cfg(mixing={'type': 'mmssl.NothingPasted'}))
    model.init_weights()
    model.teacher.synchronize(model.student)
    model = model.double().train()
    for module in model.modules():  # statistics of a batch are those of a rank alone
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    model.begin_iteration(3, 0)
    return InDouble(model)


def gradients(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.grad for name, value in model.named_parameters() if value.grad is not None}


def rank_gradients(root: str) -> None:
    from mmengine.model import MMDistributedDataParallel

    rank = int(os.environ['RANK'])
    torch.distributed.init_process_group('gloo')
    model = build()
    wrapped = MMDistributedDataParallel(model, device_ids=None, broadcast_buffers=False)
    wrapped(part_of(joint_batch(), slice(2 * rank, 2 * rank + 2))).backward()
    torch.save(gradients(model), f'{root}/rank{rank}.pt')
    torch.distributed.barrier()
    os._exit(0)  # threads of the group abort an interpreter that ends beside them now and then


def test_gradients_of_two_ranks_are_those_of_the_joint_batch(tmp_path):
    assert run_ranks(rank_gradients, str(tmp_path), log=tmp_path / 'log') == [0, 0], (tmp_path / 'log.0').read_text()
    one, other = (torch.load(tmp_path / f'rank{rank}.pt', weights_only=True) for rank in range(2))
    model = build()
    model(joint_batch()).backward()
    expected = gradients(model)
    assert expected.keys() == one.keys() == other.keys()
    assert not any('teacher' in name for name in expected)
    largest = max(float(value.abs().max()) for value in expected.values())
    for name, value in expected.items():
        assert torch.equal(one[name], other[name]), name
        assert float((one[name] - value).abs().max()) < 1e-6 * largest, name
    # It is not the gradient of one rank's half.
    model.zero_grad()
    model(part_of(joint_batch(), slice(0, 2))).backward()
    half = gradients(model)
    assert max(float((half[name] - value).abs().max()) for name, value in expected.items()) > 1e-2 * largest


def uneven(root: str) -> None:
    """ClassMix with 5 labelled, 7 unlabelled and 3 validation images; rank 1 never sees a labelled pixel."""
    from mmengine.hooks import Hook
    from mmengine.runner import Runner

    from mmssl.apis.config import load_config
    from mmssl.apis.launch import prepare_launch

    os.chdir(Path(__file__).resolve().parents[2])
    rank = int(os.environ['RANK'])

    class Unlabelled(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if rank:
                for sample in data_batch['data_samples']['labeled']:
                    sample.gt_sem_seg.data.fill_(255)

    cfg = short_config('classmix', Path(root), 0)
    full = load_config('configs/classmix/classmix_erfnet_1xb4-1000i_camvid-1of8-96x128.py')
    cfg.val_cfg, cfg.val_evaluator, cfg.val_dataloader = full.val_cfg, full.val_evaluator, full.val_dataloader
    cfg.val_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.val_dataloader.dataset.indices = 3
    cfg.train_dataloader.dataset.labeled.indices = 5
    cfg.train_dataloader.dataset.unlabeled.indices = 7
    cfg.train_cfg.update(max_iters=4, val_interval=2)
    cfg.model.burn_in = 0
    cfg.launcher = 'pytorch'
    prepare_launch(cfg)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(Unlabelled())
    runner.train()
    torch.save(runner.model.module.state_dict(), f'{root}/rank{rank}.pt')


@pytest.mark.usefixtures('camvid_root')
def test_uneven_data_neither_hang_nor_split_the_ranks(tmp_path):
    codes = run_ranks(uneven, str(tmp_path), log=tmp_path / 'log', seconds=120)
    assert codes == [0, 0], (tmp_path / 'log.1').read_text()
    one, other = (torch.load(tmp_path / f'rank{rank}.pt', weights_only=True) for rank in range(2))
    apart = {name for name, value in one.items() if not torch.equal(value, other[name])}
    statistics = {name for name in one if name.startswith('student') and 'running' in name}
    assert apart <= statistics  # teacher, parameters, counts: the same
    assert all(torch.isfinite(value.double()).all() for value in one.values())
    assert int(one['teacher.steps']) == 4
