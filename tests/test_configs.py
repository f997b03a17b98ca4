"""Every config: parses, names what it needs, builds, takes a step, and gives every trainable parameter a gradient."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS

from mmssl.apis.config import load_config
from mmssl.models.losses.class_weights import enet_class_weights
from mmssl.models.losses.weighted_cross_entropy import WeightedCrossEntropyLoss
from mmssl.testing import segmentation_batch

ROOT = Path(__file__).resolve().parents[1]
RECIPES = sorted(path for path in (ROOT / 'configs').rglob('*.py') if '_base_' not in path.parts)
recipe = pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
NAME = re.compile(r'^[a-z0-9-]+_\d+xb\d+-\d+[iek]\w*_[a-z0-9-]+(_[a-z0-9-]+)?$')


@recipe
def test_name_follows_the_grammar(path):
    """{method}_{gpus}xb{batch}-{schedule}_{dataset}-{crop}, parts joined by underscores."""
    assert NAME.match(path.stem) or re.match(r'^[a-z0-9-]+_[a-z0-9-]+_\d+xb\d+-\d+[iek]_[a-z0-9-]+$', path.stem)
    cfg = load_config(str(path))
    batch, length = re.search(r'xb(\d+)-(\d+)[ie]', path.stem).groups()
    assert cfg.train_dataloader.batch_size == int(batch)
    assert int(length) == cfg.train_cfg.get('max_iters', cfg.train_cfg.get('max_epochs'))
    assert cfg.param_scheduler[-1]['end'] == int(length)


def take_step(cfg):
    model = MODELS.build(cfg.model)
    model.init_weights()
    for module in model.modules():
        if isinstance(module, WeightedCrossEntropyLoss) and module.scheme:
            module.set_class_weight(enet_class_weights([1 / model.num_classes] * model.num_classes))
    model.train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    height, width = cfg.model.data_preprocessor['size']
    batch = segmentation_batch(model.num_classes, size=(height // 4, width // 4))
    model.data_preprocessor.size = (height // 4, width // 4)
    data = model.data_preprocessor(batch, True)
    losses = model(**data, mode='loss')
    loss, _ = model.parse_losses(losses)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optim_wrapper.backward(loss)
    gradients = {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }
    optim_wrapper.step()
    return model, loss, before, gradients


@recipe
def test_builds_and_takes_a_step(path, mmseg_scope):
    torch.manual_seed(0)
    model, loss, before, gradients = take_step(load_config(str(path)))
    assert torch.isfinite(loss)
    for name, parameter in model.named_parameters():
        assert name in gradients, f'{name} has no gradient'
        assert torch.isfinite(gradients[name]).all(), f'{name} has a gradient that is not finite'
        assert not torch.equal(parameter, before[name]), f'{name} did not move'


@recipe
def test_hooks_metrics_and_data_resolve(path, mmseg_scope, monkeypatch):
    monkeypatch.chdir(ROOT)
    cfg = load_config(str(path))
    for hook in cfg.get('custom_hooks', []):
        HOOKS.build(hook)
    METRICS.build(cfg.val_evaluator)
    for split in ('train', 'val', 'test'):
        dataset_cfg = cfg[f'{split}_dataloader'].dataset
        root = dataset_cfg.get('data_root')
        if root is None or Path(root).exists():
            dataset = DATASETS.build(dataset_cfg)
            sample = dataset[0]
            assert sample['inputs'].dtype == torch.uint8
            if split == 'train':
                assert tuple(sample['inputs'].shape[1:]) == tuple(cfg.model.data_preprocessor['size'])
            labels = sample['data_samples'].gt_sem_seg.data
            assert set(labels.unique().tolist()) <= {*range(cfg.model.decode_head.num_classes), 255}


def test_recipes_and_metafiles_name_each_other():
    listed = set()
    for metafile in (ROOT / 'configs').rglob('metafile.yml'):
        for model in yaml.safe_load(metafile.read_text())['Models']:
            path = ROOT / model['Config']
            assert path.exists(), f'{metafile}: {model["Config"]} does not exist'
            assert model['Name'] == path.stem
            listed.add(path)
    assert listed == set(RECIPES)


def test_every_method_has_a_readme_and_a_metafile():
    for folder in {path.parent for path in RECIPES}:
        assert (folder / 'README.md').exists(), folder
        assert (folder / 'metafile.yml').exists(), folder
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert {ROOT / entry for entry in index['Import']} == set((ROOT / 'configs').rglob('metafile.yml'))
