"""BYOL of S3: its size, its target, and its encoder in Mask R-CNN."""

import math

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS, DefaultScope, init_default_scope
from mmengine.runner import Runner
from PIL import Image, ImageFilter

from mmssl.apis.config import load_config

RESNET50 = 23508032  # torchvision's resnet50 without its classifier


@pytest.fixture(autouse=True)
def scope():
    yield
    DefaultScope._instance_dict.clear()


@pytest.mark.parametrize(('name', 'hidden', 'published'), [('byol', 2048, 57520256), ('byol-mlp4096', 4096, 68024448)])
def test_parameters(repository, name, hidden, published):
    cfg = load_config(str(repository / f'configs/byol/{name}_r50_1xb64-350k_coco14-224x224.py'))
    init_default_scope(cfg.default_scope)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    # Linear with bias, scale and shift of the norm, linear without bias.
    projection, prediction = (inputs * hidden + hidden + 2 * hidden + hidden * 256 for inputs in (2048, 256))
    assert sum(parameter.numel() for parameter in model.parameters()) == published
    assert published == 2 * (RESNET50 + projection) + prediction
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == RESNET50 + projection + prediction


def test_blur_is_that_of_a_kernel_of_23_pixels():
    """The recipe's blur, Pillow's, has none; on noise it is within a level of one on average."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for sigma in (0.5, 1.0, 2.0):
        weights = np.exp(-0.5 * (np.arange(-11, 12) / sigma) ** 2)
        weights /= weights.sum()
        expected = image.astype(float)
        for axis in (0, 1):
            expected = np.apply_along_axis(lambda line, w=weights: np.convolve(line, w, 'same'), axis, expected)
        blurred = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))
        inside = (slice(11, -11), slice(11, -11))
        assert np.abs(blurred[inside] - expected[inside]).mean() < 1


@HOOKS.register_module(force=True)
class KeepWeights(Hook):
    """Copies of the weights as training begins, behind the transfer, and after each iteration."""

    priority = 'LOWEST'

    def before_train(self, runner):
        runner.kept = [copied(runner.model)]

    def after_train_iter(self, runner, *_, **__):
        runner.kept.append(copied(runner.model))


def copied(model) -> dict:
    return {name: value.clone() for name, value in model.state_dict().items()}


def run(repository, monkeypatch, recipe: str, work_dir, options: dict, *hooks: dict) -> Runner:
    monkeypatch.chdir(repository)
    cfg = load_config(f'configs/byol/{recipe}.py', options)
    cfg.work_dir = str(work_dir)
    cfg.custom_hooks = [*hooks, {'type': 'KeepWeights'}]
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    cfg.experiment_name = f'{work_dir.name}-{id(cfg)}'
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def test_encoder_in_mask_rcnn(repository, coco128_root, tmp_path, monkeypatch):
    """The small chain, narrow and short: each tensor of the encoder arrives in Mask R-CNN as it was."""
    narrow = {'model.backbone.base_channels': 8, 'train_cfg.max_iters': 2, 'train_dataloader.batch_size': 4}
    pretraining = run(
        repository,
        monkeypatch,
        'byol_r18_1xb32-1000i_coco128-96x96',
        tmp_path / 'byol',
        {
            **narrow,
            'model.backbone.stem_channels': 8,
            'model.neck.in_channels': 64,
            'default_hooks.checkpoint.interval': 2,
        },
    )
    start, first, trained = pretraining.kept
    name = 'backbone.layer1.0.conv1.weight'
    target = f'target_net.module.0.{name.removeprefix("backbone.")}'
    assert torch.equal(first[target], start[name])  # the first update copies
    step = 0.02 * (math.cos(math.pi * 1 / 2) + 1) / 2  # the second of two
    torch.testing.assert_close(trained[target], (1 - step) * start[name] + step * first[name])

    rule = {'source': str(tmp_path / 'byol'), 'modules': 'backbone'}
    options = {
        **narrow,
        'model.neck.in_channels': [8, 16, 32, 64],
        'train_dataloader.dataset.pipeline.2.scale': (64, 48),
    }
    recipe = 'mask-rcnn-byol_r18-fpn_1xb4-800i_coco128-320x240'
    hook = {'type': 'mmssl.WeightTransferHook', 'rules': [rule]}
    fine_tuning = run(repository, monkeypatch, recipe, tmp_path / 'mask_rcnn', options, hook)
    before, after = fine_tuning.kept[0], fine_tuning.kept[-1]
    encoder = {name: value for name, value in before.items() if name.startswith('backbone.')}
    assert len(encoder) == 20 * 6  # 20 convolutions, each with a norm of five tensors
    assert all(torch.equal(value, trained[name]) for name, value in encoder.items())
    assert not torch.equal(after[name], before[name])  # no stage is frozen
    log = fine_tuning.message_hub.log_scalars
    rates = ('fast_rcnn/fg_cls_accuracy', 'fast_rcnn/false_negative', 'mask_rcnn/accuracy', 'mask_rcnn/false_positive')
    assert all(0 <= log[f'train/{rate}'].current() <= 1 for rate in rates)
