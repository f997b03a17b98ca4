"""Every recipe loads by what stops at bad data, and evaluates by what stops at ids without a class."""

from pathlib import Path

import pytest

from mmssl.apis.config import load_config
from mmssl.apis.data_folders import dataset_configs

ROOT = Path(__file__).resolve().parents[2] / 'configs'
RECIPES = [path for path in sorted(ROOT.rglob('*.py')) if not {'_base_', 'searches'} & set(path.parts)]
LOADERS = {'mmssl.LoadImage', 'mmssl.LoadSegAnnotations', 'mmssl.LoadStreetScene'}
EVALUATORS = {
    'mmssl.PerClassIoUMetric',
    'mmssl.ReconstructionError',
    'mmssl.ColorizationError',
    'mmssl.CutoutSimilarityMetric',
    # of mmdet and mmpretrain: their labels are categories of the file and names of folders
    'CocoMetric',
    'Accuracy',
}


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_loaders_and_metrics(path):
    cfg = load_config(str(path))
    for part in ('train', 'val', 'test'):
        loader, evaluators = cfg.get(f'{part}_dataloader'), cfg.get(f'{part}_evaluator') or []
        for dataset in dataset_configs(loader['dataset']) if loader else []:
            # COCO's annotations are mmdet's to load; ids outside of the classes are looked for in the file
            allowed = LOADERS | ({'LoadAnnotations'} if dataset['type'] == 'CocoDataset' else set())
            assert {step['type'] for step in dataset['pipeline'] if 'Load' in step['type']} <= allowed, part
        for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
            assert evaluator['type'] in EVALUATORS, part
