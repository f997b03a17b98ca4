"""Class weights, folding and strict loading inside a Runner, on procedural scenes."""

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from torch import nn

from mmssl.apis.config import load_config
from mmssl.compat import allow_mmengine_checkpoints
from mmssl.errors import DataError
from mmssl.models.losses.class_weights import enet_class_weights


@pytest.fixture
def cfg(repository, tmp_path, monkeypatch):
    """The quick start's recipe, cut down to seconds."""
    monkeypatch.chdir(tmp_path)
    allow_mmengine_checkpoints()
    cfg = load_config(str(repository / 'configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'))
    cfg.work_dir = str(tmp_path / 'run')
    cfg.experiment_name = tmp_path.name
    cfg.log_level = 'WARNING'
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.num_workers, loader.persistent_workers = 0, False
        loader.dataset.num_images, loader.dataset.size = 4, (64, 64)
    cfg.train_dataloader.batch_size = 2
    cfg.train_dataloader.dataset.pipeline[1].crop_size = (64, 64)
    cfg.model.data_preprocessor.size = (64, 64)
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.default_hooks.checkpoint.interval = 2
    return cfg


def test_weights_come_from_the_training_masks(cfg):
    runner = Runner.from_cfg(cfg)
    runner.train()
    masks = [sample['data_samples'].gt_sem_seg.data.numpy().ravel() for sample in runner.train_dataloader.dataset]
    # crops of the full size, flipped or not, hold the same pixels
    counts = np.bincount(np.concatenate(masks), minlength=256)[:11]
    expected = enet_class_weights(counts / counts.sum(), c=1.10)
    weights = runner.model.decode_head.loss_decode.class_weight
    assert torch.allclose(weights.double(), torch.from_numpy(expected), rtol=1e-6)


def test_a_model_without_such_a_loss_is_told(cfg):
    cfg.model.decode_head.loss_decode.class_weight = None
    with pytest.raises(ValueError, match="no mmssl.WeightedCrossEntropyLoss with class_weight='enet'"):
        Runner.from_cfg(cfg).train()


def test_an_averaged_model_goes_with_class_weights(cfg):
    """mmengine copies the model before the weights are computed, and pairs the copies' buffers by position."""
    cfg.custom_hooks.append({'type': 'EMAHook', 'momentum': 0.5})
    runner = Runner.from_cfg(cfg)
    runner.train()
    average = next(hook.ema_model for hook in runner.hooks if hasattr(hook, 'ema_model')).module
    for ours, theirs in zip(runner.model.parameters(), average.parameters(), strict=True):
        assert ours.shape == theirs.shape
    assert any(not torch.equal(a, b) for a, b in zip(runner.model.parameters(), average.parameters(), strict=True))


def train_and_test(cfg):
    Runner.from_cfg(cfg).train()
    cfg.load_from = f'{cfg.work_dir}/iter_2.pth'
    return cfg


def test_folding_changes_the_test_within_rounding_and_nothing_else(cfg):
    train_and_test(cfg)
    cfg.experiment_name += '-fold'
    seen = []
    runner = Runner.from_cfg(cfg)
    original = runner.model
    hook = next(h for h in runner.hooks if type(h).__name__ == 'FoldNormHook')
    before_test = hook.before_test

    def watch(runner):
        before_test(runner)
        seen.append(sum(isinstance(m, nn.BatchNorm2d) for m in runner.model.modules()))

    hook.before_test = watch
    folded = runner.test()
    assert seen == [3]  # three slices behind max-pools are left of 39 norms
    assert runner.model is original
    assert sum(isinstance(m, nn.BatchNorm2d) for m in runner.model.modules()) == 39
    hook.before_test, hook.after_test = (lambda runner: None), (lambda runner: None)
    plain = runner.test()
    assert folded['mIoU'] == pytest.approx(plain['mIoU'], abs=0.05)


def test_strict_loading_names_what_does_not_fit(cfg, tmp_path):
    train_and_test(cfg)
    checkpoint = torch.load(cfg.load_from, weights_only=True)
    del checkpoint['state_dict']['backbone.layers.9.bn1.weight']
    torch.save(checkpoint, tmp_path / 'incomplete.pth')
    cfg.load_from = str(tmp_path / 'incomplete.pth')
    cfg.custom_hooks.append({'type': 'mmssl.StrictLoadHook'})
    cfg.experiment_name += '-strict'
    total = len(Runner.from_cfg(cfg).model.state_dict())
    cfg.experiment_name += '2'
    message = (
        f'incomplete.pth: {total - 1} of {total} tensors fit the model; first that does not: backbone.layers.9.bn1'
    )
    with pytest.raises(DataError, match=message):
        Runner.from_cfg(cfg).test()


def test_resume_continues_where_it_stopped(cfg):
    Runner.from_cfg(cfg).train()
    cfg.experiment_name += '-resumed'
    cfg.train_cfg.max_iters = 4
    cfg.resume, cfg.load_from = True, f'{cfg.work_dir}/iter_2.pth'
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 4
    steps = {int(state['step']) for state in runner.optim_wrapper.optimizer.state.values()}
    assert steps == {4}
    # the loss curve of the first two iterations came along in the message hub
    assert len(runner.message_hub.log_scalars['train/loss'].data[0]) == 4
