"""Every config: parses, names what it needs, builds, takes a step, and gives every trainable parameter a gradient."""

import json
import re
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torchvision
import yaml
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, HOOKS, LOOPS, METRICS, MODELS, init_default_scope
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.visualization import SegLocalVisualizer

from mmssl.apis.config import load_config
from mmssl.datasets.transforms.affine_view import affine_matrix
from mmssl.models.losses.class_weights import enet_class_weights
from mmssl.models.losses.weighted_cross_entropy import WeightedCrossEntropyLoss
from mmssl.testing import paired_batch, segmentation_batch
from mmssl.transfer.plan import plan_transfer
from mmssl.transfer.rules import parse_rules, rule_sources
from mmssl.transfer.sources import SourceCheckpoint
from mmssl.transfer.targets import target_tensors

ROOT = Path(__file__).resolve().parents[1]
NO_TRAININGS = {'_base_', 'searches'}  # folders of parts of recipes, and of searches that train many
RECIPES = sorted(path for path in (ROOT / 'configs').rglob('*.py') if NO_TRAININGS.isdisjoint(path.parts))
recipe = pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
NAME = re.compile(r'^[a-z0-9-]+(_[a-z0-9-]+)?_\d+xb\d+-\d+[iek]_[a-z0-9-]+(_[a-z0-9-]+)?$')
SEMI = 'mmssl.SemiSupervisedSegmentor'
MULTI_TASK = 'mmssl.MultiTaskSegmentor'
PIXPRO = 'mmssl.PixPro'
# Weights of others, and what stands in them before torchvision's names of ResNet-50.
PUBLISHED = {'pretrain/moco_v1_200ep_pretrain.pth.tar': 'encoder_q', 'pretrain/pixpro_base_r50_100ep.pth': 'encoder'}


@recipe
def test_name_follows_the_grammar(path):
    """{method}_{model}_{gpus}xb{batch}-{schedule}_{dataset}-{crop}_{test dataset}, some parts left out."""
    assert NAME.match(path.stem)
    cfg = load_config(str(path))
    batch, length, unit = re.search(r'xb(\d+)-(\d+)([iek])', path.stem).groups()
    length = int(length) * (1000 if unit == 'k' else 1)
    assert cfg.train_dataloader.batch_size == int(batch)
    assert length == cfg.train_cfg.get('max_iters', cfg.train_cfg.get('max_epochs'))
    assert cfg.param_scheduler[-1]['end'] == length


def student_of(cfg):
    """The segmentor beside pretext tasks, also inside a semi-supervised one."""
    return cfg.model.segmentor.get('segmentor', cfg.model.segmentor)


def make_batch(cfg, model) -> dict:
    """A small batch of noise as the dataloader of a recipe gives it."""
    kind = cfg.model.type
    if kind == MULTI_TASK:
        sides = {'segmentation': make_batch(Config({'model': cfg.model.segmentor}), model.segmentor)}
        for name, task in cfg.model.tasks.items():
            task_cfg = {'data_preprocessor': student_of(cfg).data_preprocessor, **task.model, 'backbone': {}}
            sides[name] = make_batch(Config({'model': task_cfg}), model.tasks[name])
        return {key: {name: side[key] for name, side in sides.items()} for key in ('inputs', 'data_samples')}
    if kind == SEMI:
        branch = model.data_preprocessor.branch
        branch.size = tuple(side // 8 for side in branch.size)
        return paired_batch(model.num_classes, size=branch.size)
    if kind == 'EncoderDecoder':
        smaller = 8 if cfg.model.backbone.get('depth') == 101 else 4
        size = tuple(side // smaller for side in cfg.model.data_preprocessor['size'])
        model.data_preprocessor.size = size
        batch = segmentation_batch(model.num_classes, size=size)
        for sample in batch['data_samples']:
            sample.gt_ab = PixelData(data=torch.randint(-128, 128, (2, *size), dtype=torch.int8))
            sample.gt_image = PixelData(data=torch.randint(0, 256, (3, *size), dtype=torch.uint8))
            sample.gt_erased = PixelData(data=torch.rand(1, *size) < 0.25)
        return batch
    if kind == 'MaskRCNN':
        classes = cfg.model.roi_head.bbox_head.num_classes
        return demo_mm_inputs(2, [(3, 64, 64)] * 2, num_classes=classes, with_mask=True)
    generator = torch.Generator().manual_seed(0)
    draw = partial(torch.randint, 0, 256, generator=generator, dtype=torch.uint8)
    if kind in ('mmssl.NTXentSimCLR', 'BYOL'):
        return {'inputs': [draw(size=(4, 3, 64, 64)), draw(size=(4, 3, 64, 64))], 'data_samples': None}
    if kind == PIXPRO:
        return {
            'inputs': [draw(size=(2, 3, 112, 112)) for _ in range(2)],
            'data_samples': [pixel_sample(), pixel_sample()],
        }
    assert kind == 'ImageClassifier'
    patches = cfg.model.head.get('num_patches', 1)
    labels = [DataSample().set_gt_label(index % cfg.model.head.num_classes) for index in range(4)]
    return {'inputs': draw(size=(4, patches, 3, 64, 64) if patches > 1 else (4, 3, 64, 64)), 'data_samples': labels}


def pixel_sample() -> DataSample:
    """Two views of an image that overlap, the second flipped, the first turned by 30 degrees."""
    affine = torch.stack([torch.from_numpy(affine_matrix(112, 112, rotation=30)), torch.eye(2, 3)]).float()
    return DataSample(metainfo={'boxes': torch.tensor([[0.0, 0, 100, 80], [120, 10, 20, 90]]), 'affine': affine})


def without_files(value):
    """A config without the files that it starts from: weights, shares of classes."""
    if not isinstance(value, dict):
        return value
    kept = {key: without_files(item) for key, item in value.items()}
    if 'init_cfg' in kept and (kept['init_cfg'] or {'type': 'Pretrained'}).get('type') == 'Pretrained':
        del kept['init_cfg']
    if 'pretrained' in kept:
        kept['pretrained'] = None
    alignment = kept.get('distribution_alignment') or {}
    if isinstance(alignment.get('target'), str) and alignment['target'] != 'labeled':
        alignment['target'] = [1.0] * 19
    return type(value)(kept)


def lighter(cfg, path: Path):
    """One recipe is stepped with the whole ResNet; the others that differ in the method only have fewer layers."""
    segmentor = cfg.model.get('segmentor', {})
    if segmentor.get('backbone', {}).get('depth') == 101 and not path.stem.startswith('classmix_'):
        segmentor.backbone.depth = 50
    if cfg.model.type == PIXPRO and cfg.model.backbone.get('depth') == 50 and not path.stem.startswith('pixpro-final_'):
        cfg.model.backbone.depth, cfg.model.neck.in_channels = 18, 512
    if cfg.model.type == 'BYOL' and path.stem.startswith('byol-mlp4096_'):
        cfg.model.backbone.depth, cfg.model.neck.in_channels = 18, 512
    return cfg


def take_step(cfg):
    model = MODELS.build(without_files(cfg.model))
    model.init_weights()
    for module in model.modules():
        if isinstance(module, WeightedCrossEntropyLoss) and module.scheme:
            module.set_class_weight(enet_class_weights([1 / model.num_classes] * model.num_classes))
    model.train()
    main = model.segmentor if cfg.model.type == MULTI_TASK else model
    if hasattr(main, 'teacher'):
        main.teacher.synchronize(main.student)
    if cfg.model.type in (SEMI, PIXPRO, MULTI_TASK):
        model.begin_iteration(getattr(main, 'burn_in', 0), 0)
    alignment = main.strong_view.alignment if hasattr(main, 'strong_view') else None
    if alignment is not None and alignment.of_labeled:
        alignment.set_target([1 / model.num_classes] * model.num_classes)
    MessageHub.get_current_instance().update_info('max_iters', 100)  # read by BYOL; the Runner's in a training
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    data = model.data_preprocessor(make_batch(cfg, model), True)
    losses = model(**data, mode='loss')
    loss, _ = model.parse_losses(losses)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optim_wrapper.backward(loss)
    gradients = {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }
    optim_wrapper.step()
    return model, loss, before, gradients


def different_models() -> list[Path]:
    """One recipe of those that share model and optimiser, or take some of its tasks: others would repeat its step."""
    found = {}
    for path in RECIPES:
        cfg = Config.fromfile(path)
        if cfg.model.type == MULTI_TASK:  # joint-all_* is the first of its kind
            cfg.model.tasks = None
        found.setdefault(json.dumps([without_files(cfg.model), cfg.optim_wrapper], sort_keys=True), path)
    return list(found.values())


@pytest.mark.parametrize('path', different_models(), ids=lambda path: path.stem)
def test_builds_and_takes_a_step(path):
    torch.manual_seed(0)
    cfg = lighter(load_config(str(path)), path)
    init_default_scope(cfg.default_scope)
    model, loss, before, gradients = take_step(cfg)
    assert torch.isfinite(loss)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert name not in gradients and torch.equal(parameter, before[name]), f'{name} is frozen and moved'
            continue
        assert name in gradients, f'{name} has no gradient'
        assert torch.isfinite(gradients[name]).all(), f'{name} has a gradient that is not finite'
        assert not torch.equal(parameter, before[name]) or not gradients[name].any(), f'{name} did not move'


@recipe
def test_hooks_and_metrics_resolve(path):
    cfg = load_config(str(path))
    init_default_scope(cfg.default_scope)
    SegLocalVisualizer.get_instance('configs')  # a hook of mmseg asks for the current one
    for hook in [*cfg.get('custom_hooks', []), *cfg.default_hooks.values()]:
        HOOKS.build(hook)
    always = {f'mmssl.{name}Hook' for name in ('AtomicCheckpoint', 'Preemption', 'NonFiniteLoss')}
    assert always <= {hook.type for hook in cfg.default_hooks.values()}
    if cfg.val_evaluator:
        METRICS.build({**cfg.val_evaluator, **({'ann_file': None} if 'ann_file' in cfg.val_evaluator else {})})
        assert LOOPS.get(cfg.val_cfg.type), cfg.val_cfg.type
    else:
        assert cfg.val_dataloader is None and cfg.val_cfg is None


def sample_of(dataset_cfg, image: np.ndarray) -> dict:
    """A sample of a dataset, or, where its files are not at hand, what its pipeline makes of an image."""
    root = dataset_cfg.get('data_root')
    if root is None or (Path(root).exists() and 'splits/' not in Path(dataset_cfg.get('ann_file', '')).parts):
        return DATASETS.build(dataset_cfg)[0]
    results = {
        'img': image,
        'img_path': 'camvid.png',
        'img_shape': image.shape[:2],
        'ori_shape': image.shape[:2],
        'sample_idx': 0,
        'gt_label': 3,
        'gt_seg_map': np.zeros(image.shape[:2], np.uint8),
        'seg_fields': ['gt_seg_map'],
        'reduce_zero_label': False,
    }
    if dataset_cfg.type == 'mmssl.UnlabeledDataset':
        del results['gt_seg_map'], results['gt_label']
        results['seg_fields'] = []
    if dataset_cfg.type == 'CocoDataset':
        results |= {
            'img_id': 0,
            'gt_bboxes': HorizontalBoxes([[100.0, 50.0, 300.0, 200.0]]),
            'gt_bboxes_labels': np.array([len(dataset_cfg.get('metainfo', {}).get('classes', range(80))) - 1]),
            'gt_masks': BitmapMasks([np.ones(image.shape[:2], np.uint8)], *image.shape[:2]),
        }
    return Compose([step for step in dataset_cfg.pipeline if 'Load' not in step.type])(results)


@recipe
def test_data_reaches_the_model(path, monkeypatch, camvid_root):
    """Every pipeline runs: on the recipe's images, or on one of CamVid where those are not at hand."""
    monkeypatch.chdir(ROOT)
    cfg = load_config(str(path))
    init_default_scope(cfg.default_scope)
    image = cv2.resize(cv2.imread(str(next((camvid_root / 'train').glob('*.png')))), (1024, 512))
    for split in ('train', 'val'):
        if cfg[f'{split}_dataloader'] is None:
            continue
        check_dataset(cfg, path, split, cfg[f'{split}_dataloader'].dataset, image)


def check_dataset(cfg, path: Path, split: str, dataset_cfg, image: np.ndarray) -> None:
    if dataset_cfg.type == 'mmssl.MultiTaskSegDataset':
        segmentor = cfg.model.segmentor
        check_dataset(Config({**cfg, 'model': segmentor}), path, split, dataset_cfg.segmentation, image)
        assert set(dataset_cfg.tasks) == set(cfg.model.tasks)
        for name, task in cfg.model.tasks.items():
            task_cfg = {'data_preprocessor': student_of(cfg).data_preprocessor, **task.model}
            sample = sample_of(dataset_cfg.tasks[name], image)
            assert 'gt_sem_seg' not in sample['data_samples']
            check_sample(Config({**cfg, 'model': task_cfg}), path, split, sample)
    elif dataset_cfg.type == 'mmssl.PairedDataset':
        check_sample(cfg, path, split, sample_of(dataset_cfg.labeled, image))
        sample = sample_of(dataset_cfg.unlabeled, image)
        assert 'gt_sem_seg' not in sample['data_samples']
        check_size(cfg, sample['inputs'])
    else:
        if cfg.model.type == MULTI_TASK:
            cfg = Config({**cfg, 'model': cfg.model.segmentor})
        check_sample(cfg, path, split, sample_of(dataset_cfg, image))


def check_size(cfg, inputs: torch.Tensor) -> None:
    """Training images have the size of the preprocessor, or are padded to it where the recipe scales at random."""
    model = cfg.model.segmentor if cfg.model.type == SEMI else cfg.model
    size = tuple(model.data_preprocessor['size'])
    assert inputs.dtype == torch.uint8
    if 'ratio_range' in str(cfg.train_dataloader.dataset):
        assert all(side <= limit for side, limit in zip(inputs.shape[1:], size, strict=True))
    else:
        assert tuple(inputs.shape[1:]) == size


def check_sample(cfg, path: Path, split: str, sample: dict) -> None:
    inputs, target = sample['inputs'], sample['data_samples']
    if cfg.model.type == PIXPRO:
        assert target.boxes.shape == (2, 4) and not torch.equal(target.boxes[0], target.boxes[1])
        warped = [not torch.equal(one, torch.eye(2, 3)) for one in target.affine]
        assert warped == ['AffineView' in str(cfg.train_dataloader.dataset), False]
    if cfg.model.type in ('mmssl.NTXentSimCLR', 'BYOL', PIXPRO):
        first, second = inputs
        assert first.shape == second.shape and not torch.equal(first, second)
        assert first.dtype == torch.uint8
        assert path.stem.endswith('-{}x{}'.format(*first.shape[1:]))
        return
    assert inputs.dtype == torch.uint8
    if cfg.model.type == 'ImageClassifier':
        assert 0 <= target.gt_label.item() < cfg.model.head.num_classes
        assert inputs.shape[:-2] == ((cfg.model.head.num_patches, 3) if inputs.dim() == 4 else (3,))
        return
    if cfg.model.type == 'MaskRCNN':
        long, short = map(int, path.stem.rsplit('-', 1)[1].split('x'))
        size = sorted(inputs.shape[1:])
        assert size[0] <= short and size[1] <= long and (size[0] == short or size[1] == long)
        objects = target.gt_instances
        # Where annotations are evaluated they are loaded behind the resizing, as they are.
        sides = [tuple(inputs.shape[1:]), *([tuple(target.ori_shape)] if split == 'val' else [])]
        assert objects.masks.masks.shape in [(len(objects), *size) for size in sides]
        assert objects.labels.min() >= 0 and objects.labels.max() < cfg.model.roi_head.bbox_head.num_classes
        return
    if split == 'train':
        check_size(cfg, inputs)
    head = (cfg.model.segmentor if cfg.model.type == SEMI else cfg.model).decode_head
    if head.type in ('mmssl.ColorizationHead', 'mmssl.QuantizedColorizationHead'):
        assert target.gt_ab.data.shape == (2, *inputs.shape[1:])
    elif head.type == 'mmssl.ReconstructionHead':
        assert target.gt_image.data.shape == inputs.shape and not torch.equal(target.gt_image.data, inputs)
    else:
        labels = target.gt_sem_seg.data
        assert set(labels.unique().tolist()) <= {*range(head.num_classes), 255}


@cache
def transfers(path: Path) -> bool:
    """Whether a recipe, or one whose hooks it inherits, transfers weights. Read as configs they take half a minute."""
    text = path.read_text()
    replaced = 'custom_hooks' in text and '_base_.custom_hooks' not in text
    bases = [(path.parent / name).resolve() for name in re.findall(r"'([\w./-]+\.py)'", text)]
    return 'WeightTransferHook' in text or (not replaced and any(transfers(base) for base in bases if base.is_file()))


TRANSFERS = [path for path in RECIPES if transfers(path)]


@pytest.mark.parametrize('path', TRANSFERS, ids=lambda path: path.stem)
def test_sources_are_recipes_and_hold_what_the_rules_name(path, fresh_weights):
    """Each source is the work dir of a recipe here, or published, and has every tensor that the rule asks for."""
    cfg = load_config(str(path))
    (hook,) = (hook for hook in cfg.custom_hooks if hook.type == 'mmssl.WeightTransferHook')
    rules = parse_rules(hook.rules)
    sources = {name: SourceCheckpoint(name, '0' * 64, fresh_weights(name)) for name in rule_sources(rules)}
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    entries = plan_transfer(target_tensors(model), rules, sources)
    actions = {entry.target.name: entry.action for entry in entries}
    assert 'skipped' not in {action for name, action in actions.items() if 'conv_seg' not in name}
    assert set(actions.values()) & {'copied', 'mixed'}
    assert all(action in ('left', 'skipped') for name, action in actions.items() if 'conv_seg' in name)


@pytest.fixture(scope='module')
def fresh_weights():
    """Untrained weights of a recipe, by its work dir, or with the names of published ones."""
    cache = {}

    def weights(work_dir: str) -> dict:
        if work_dir in PUBLISHED:
            state = torchvision.models.resnet50().state_dict()
            return {f'{PUBLISHED[work_dir]}.{name}': value for name, value in state.items()}
        if work_dir in cache:
            return cache[work_dir]
        (path,) = (path for path in RECIPES if f'work_dirs/{path.stem}' == work_dir)
        cfg = load_config(str(path))
        init_default_scope(cfg.default_scope)
        state = MODELS.build(cfg.model).state_dict()
        if cfg.model.type not in (PIXPRO, 'BYOL'):  # two ResNet-50 with projectors are a quarter of a gigabyte
            cache[work_dir] = state
        return state

    return weights


@pytest.mark.parametrize('method', ['pixpro', 'pixpro-attention'])
def test_lars_leaves_norms_biases_and_gamma_alone(method):
    """What has less than two dimensions is neither scaled by LARS nor decayed, as in the released code of PixPro."""
    path = ROOT / f'configs/pixpro/{method}_r50_1xb64-30e_in1k-224x224.py'
    cfg = lighter(load_config(str(path)), path)
    init_default_scope(cfg.default_scope)
    groups = build_optim_wrapper(MODELS.build(cfg.model), cfg.optim_wrapper).optimizer.param_groups
    left = [(group.get('lars_exclude', False), group['weight_decay']) for group in groups]
    assert left == [(True, 0) if group['params'][0].dim() < 2 else (False, 4e-4) for group in groups]
    assert len(set(left)) == 2


def test_fcn16_is_the_network_of_the_thesis():
    """S1, section 4.1.3: stride 16; dilation 2 in the last stage and 6 in the two convolutions of the head."""
    cfg = load_config(str(ROOT / 'configs/pixpro/fcn16-random_r50_1xb7-100e_cityscapes-768x768.py'))
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).eval()
    convolutions = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Conv2d)}
    dilated = {name: module.dilation[0] for name, module in convolutions.items() if module.dilation != (1, 1)}
    stage = {f'backbone.layer4.{block}.conv2': 2 for block in range(3)}
    assert dilated == {**stage, 'decode_head.convs.0.conv': 6, 'decode_head.convs.1.conv': 6}
    assert model.extract_feat(torch.zeros(1, 3, 64, 96))[-1].shape == (1, 2048, 4, 6)
    assert sum(parameter.numel() for parameter in model.parameters()) == 28822355


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
