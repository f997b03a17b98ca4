"""The searches that come with the repository: settings, recipes, and a proxy that sees no label."""

import pytest
import torch
from mmengine.registry import DATASETS, METRICS, init_default_scope
from search_cases import SEARCHES

from mmssl.apis.config import load_config
from mmssl.search.regularized_evolution import RegularizedEvolution
from mmssl.search.run_search import measure_genes
from mmssl.search.settings import read_settings
from mmssl.search.space import space_size

ERFNET = {
    'depth': 5,
    'widths': [16, 64, 128],
    'dilations': [2, 4, 8, 16, 2, 4, 8, 16],
    'norm_cfg': {'type': 'BN', 'eps': 1e-3},
}
ALL = sorted(SEARCHES.glob('*.py'))


@pytest.fixture(scope='module')
def searches():
    return {path.stem: read_settings(load_config(str(path))) for path in ALL}


@pytest.mark.parametrize('path', ALL, ids=lambda path: path.stem)
def test_settings_can_be_read_and_erfnet_is_in_the_space(path, searches):
    settings = searches[path.stem]
    assert all(ERFNET[name] in settings.space[name] for name in ERFNET)
    assert (settings.proxy.metric, settings.segmentation.metric) == ('PSNR', 'mIoU')
    assert path.stem.split('_')[2] == str(settings.num_candidates)
    height, width = settings.budget.shape
    assert path.stem.endswith(f'-{height}x{width}')


def test_what_the_searches_are(searches):
    streets = [searches[name] for name in ('random_erfnet_12_streets-64x96', 'evolution_erfnet_24_streets-64x96')]
    assert streets[0].space == streets[1].space and space_size(streets[0].space) == 180
    assert streets[1].algorithm == RegularizedEvolution(8, 3)
    full = searches['evolution_erfnet_100_cityscapes-512x1024']
    assert full.algorithm == RegularizedEvolution(20, 5)
    cost = measure_genes(full, ERFNET)
    assert (cost.parameters, cost.flops) == (full.budget.parameters, full.budget.flops)
    assert full.budget.allows(cost) and not streets[0].budget.allows(measure_genes(streets[0], ERFNET))


def test_the_proxy_sees_no_label(searches):
    cfg = searches['random_erfnet_12_streets-64x96'].proxy.config
    init_default_scope(cfg.default_scope)
    for split in ('train', 'val'):
        dataset = DATASETS.build(cfg[f'{split}_dataloader'].dataset)
        sample = dataset[0]
        assert set(sample['data_samples'].keys()) == {'gt_image', 'gt_erased'}
        assert sample['inputs'].shape == (3, 64, 96)
    # Held out, the square is a share of 0.375 of 64 pixels, and the same each time.
    samples = [dataset[5]['data_samples'].gt_erased.data for _ in range(2)]
    assert int(samples[0].sum()) == 24**2 and torch.equal(*samples)


def test_the_proxy_scores_the_erased_square_alone(searches):
    cfg = searches['random_erfnet_12_streets-64x96'].proxy.config
    init_default_scope(cfg.default_scope)
    metric = METRICS.build(cfg.val_evaluator)
    target = torch.full((3, 64, 96), 100, dtype=torch.uint8)
    erased = torch.zeros(1, 64, 96, dtype=torch.bool)
    erased[:, :24, :24] = True
    predicted = torch.full((3, 64, 96), 255.0)  # wrong everywhere, and by 25.5 levels in the square
    predicted[:, :24, :24] = 125.5
    sample = {'seg_logits': {'data': predicted}, 'gt_image': {'data': target}, 'gt_erased': {'data': erased}}
    metric.process({'inputs': [target]}, [sample])
    assert metric.compute_metrics(metric.results)['PSNR'] == 20.0  # 20 log10(255 / 25.5)
