"""Candidates as configs: they load, build, take a step, run by train.py's rules, and inherit their recipes."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import PixelData
from search_cases import ROOT

from mmssl.apis.config import ConfigError, load_config
from mmssl.models.layers.switch_norm import SwitchNorm2d
from mmssl.search.candidate_config import apply_overrides, genes_overrides, write_candidate
from mmssl.testing import segmentation_batch

PROXY = 'configs/architecture_search/inpainting_erfnet_1xb4-200i_streets-64x96.py'
SEGMENTATION = 'configs/architecture_search/finetune_erfnet_1xb4-200i_streets-1of25-64x96.py'
NORMS = [{'type': 'BN', 'eps': 1e-3}, {'type': 'mmssl.SwitchNorm2d'}, {'type': 'GN', 'num_groups': 4}]


def genes(norm=NORMS[0]):
    return {'depth': 1, 'widths': [8, 16, 24], 'dilations': [2, 4], 'norm_cfg': norm}


def write(folder, **options):
    recipes = [load_config(str(ROOT / path)) for path in (PROXY, SEGMENTATION)]
    return write_candidate(folder, 3, genes(**options), '10,000 parameters and 0.1 GFLOPs at 64x96', *recipes)


def plain(cfg) -> dict:
    """The model, tuples as lists."""
    return json.loads(json.dumps(cfg.model.to_dict()))


@pytest.mark.parametrize('norm', NORMS, ids=lambda norm: norm['type'])
def test_both_configs_load_build_and_take_a_step(tmp_path, norm):
    for path in write(tmp_path / 'candidates/003', norm=norm):
        cfg = Config.fromfile(path)
        init_default_scope(cfg.default_scope)
        model = MODELS.build(cfg.model)
        encoder = model.backbone
        assert len(encoder.layers) == 3 + 1 + 2
        assert [block.conv3x1_2.dilation[0] for block in list(encoder.layers.values())[4:]] == [2, 4]
        assert encoder(torch.zeros(1, 3, 64, 96))[0].shape == (1, 24, 8, 12)
        kinds = {type(module).__name__ for module in model.modules() if 'Norm' in type(module).__name__}
        assert kinds == {{'BN': 'BatchNorm2d', 'GN': 'GroupNorm'}.get(norm['type'], SwitchNorm2d.__name__)}
        model.data_preprocessor.size = (32, 48)
        batch = segmentation_batch(cfg.model.decode_head.get('num_classes', 3), size=(32, 48))
        for sample in batch['data_samples']:
            sample.gt_image = PixelData(data=torch.randint(0, 256, (3, 32, 48), dtype=torch.uint8))
        before = {name: value.detach().clone() for name, value in model.named_parameters()}
        losses = model.train_step(batch, build_optim_wrapper(model, cfg.optim_wrapper))
        assert torch.isfinite(losses['loss'])
        moved = [name for name, value in model.named_parameters() if not torch.equal(value, before[name])]
        assert any(name.startswith('backbone.layers.1.') for name in moved) and 'decode_head.conv_seg.weight' in moved


def test_the_text_is_short_and_inherits(tmp_path):
    proxy, segmentation = write(tmp_path / 'search/candidates/003')
    lines = segmentation.read_text().splitlines()
    assert [path.name for path in (proxy, segmentation)] == ['proxy_003.py', 'segmentation_003.py']
    assert lines[:2] == [
        '# Candidate 3, segmentation: depth 1, widths 8-16-24, dilations 2-4, BN;',
        '# as a segmentation network 10,000 parameters and 0.1 GFLOPs at 64x96.',
    ]
    assert lines[2].startswith("_base_ = '../") and lines[2].endswith(f"{SEGMENTATION}'")
    assert len(lines) <= 12
    written, recipe = Config.fromfile(segmentation), load_config(str(ROOT / SEGMENTATION))
    assert written.train_dataloader == recipe.train_dataloader and written.train_cfg == recipe.train_cfg
    assert written.model.backbone.dropout == recipe.model.backbone.dropout
    assert 'custom_hooks' not in proxy.read_text()


def test_the_segmentation_starts_from_the_encoder_of_the_proxy(tmp_path):
    """The hook stands behind those of the recipe, and its source is a folder beside the config."""
    folder = tmp_path / 'candidates/003'
    cfg = Config.fromfile(write(folder)[1])
    recipe = load_config(str(ROOT / SEGMENTATION))
    assert cfg.custom_hooks[:-1] == recipe.custom_hooks
    assert cfg.custom_hooks[-1] == {
        'type': 'mmssl.WeightTransferHook',
        'rules': [{'source': f'{folder}/proxy', 'modules': 'backbone'}],
    }


def test_a_work_dir_behind_a_link(tmp_path):
    """There the path to the recipe does not depend on where the folder is."""
    (tmp_path / 'far/away/disk').mkdir(parents=True)
    (tmp_path / 'work').symlink_to(tmp_path / 'far/away/disk')
    proxy, _ = write(tmp_path / 'work/search/candidates/003')
    assert Config.fromfile(proxy).model.decode_head.type == 'mmssl.ReconstructionHead'


def test_written_and_merged_configs_are_the_same_network(tmp_path):
    for path, recipe in zip(write(tmp_path, norm=NORMS[1]), (PROXY, SEGMENTATION), strict=True):
        cfg = load_config(str(ROOT / recipe))
        before = cfg.to_dict()
        overrides = genes_overrides(cfg, genes(NORMS[1]), recipe)
        for _ in range(2):  # neither the recipe nor the overrides change
            merged = plain(apply_overrides(cfg, overrides))
            assert merged == plain(Config.fromfile(path))
        assert cfg.to_dict() == before
        assert merged['backbone']['norm_cfg'] == merged['decode_head']['norm_cfg'] == NORMS[1]


@pytest.mark.parametrize(
    ('name', 'part', 'expected'),
    [
        ('rotation_erfnet_1xb16-600i_camvid-192x192', 'head', {'in_channels': 24}),
        ('simclr_erfnet_1xb32-600i_camvid-96x128', 'neck', {'in_channels': 24}),
        (
            'colorization-ce_erfnet_1xb8-600i_camvid-192x256',
            'decode_head',
            {'in_channels': 24, 'widths': [16, 8], 'norm_cfg': {'_delete_': True, **NORMS[0]}},
        ),
    ],
)
def test_other_pretext_tasks_follow_the_encoder(name, part, expected):
    """A head that classifies and a projection take the channels, a decoder of ERFNet is the encoder's mirror."""
    cfg = load_config(str(ROOT / f'configs/pretext/{name}.py'))
    overrides = genes_overrides(cfg, genes(), name)
    if part == 'decode_head' and 'norm_cfg' not in cfg.model.decode_head:
        expected = {**expected, 'norm_cfg': NORMS[0]}  # nothing to take the place of
    assert overrides[part] == expected
    assert set(overrides) == {'backbone', part}
    init_default_scope(cfg.default_scope)
    MODELS.build(apply_overrides(cfg, overrides).model)


def test_a_recipe_on_another_network():
    cfg = load_config(str(ROOT / 'configs/classmix/supervised_deeplabv2-r101_1xb2-40k_cityscapes-512x1024.py'))
    with pytest.raises(ConfigError) as error:
        genes_overrides(cfg, genes(), 'recipe.py')
    assert str(error.value) == "recipe.py: model.backbone.type is 'ResNet', 'mmssl.ERFNetEncoder' expected"
