"""The three tasks that classify, from real images to a step of mmpretrain's classifier."""

import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope, init_default_scope
from mmpretrain.evaluation import Accuracy

from mmssl.registry import DATASETS, MODELS

JITTER = {'type': 'mmssl.RandomColorJitter', 'brightness': 0.4, 'contrast': 0.4, 'saturation': 0.4, 'hue': 0.1}
NORMALIZED = {'mean': [123.675, 116.28, 103.53], 'std': [58.395, 57.12, 57.375], 'to_rgb': True}
TASKS = {
    'rotation': (
        [{'type': 'CenterCrop', 'crop_size': 64}, JITTER, {'type': 'mmssl.RotationTarget'}],
        NORMALIZED,
        {'num_classes': 4},
    ),
    'jigsaw': (
        [
            {'type': 'RandomFlip', 'prob': 0.5},
            {'type': 'mmssl.RandomTranslate', 'max_shift': 2},
            {'type': 'RandomResizedCrop', 'scale': 96, 'crop_ratio_range': (0.3, 1.0)},
            {'type': 'mmssl.JigsawTarget', 'grid_size': 96, 'patch_size': 24, 'patch_transforms': [JITTER]},
        ],
        {'type': 'mmssl.PatchDataPreprocessor'},
        {'num_classes': 100, 'num_patches': 9, 'hidden_channels': 256},
    ),
    'relative patch': (
        [{'type': 'mmssl.RelativePatchTarget', 'grid_size': 96, 'patch_size': 24, 'patch_transforms': [JITTER]}],
        {'type': 'mmssl.PatchDataPreprocessor'},
        {'num_classes': 8, 'num_patches': 2},
    ),
}


@pytest.fixture
def mmpretrain_scope():
    init_default_scope('mmpretrain')
    yield
    DefaultScope._instance_dict.clear()


@pytest.mark.parametrize('collate', [pseudo_collate, default_collate])
@pytest.mark.parametrize('task', TASKS)
def test_one_step_on_real_images(task, collate, camvid_root, mmpretrain_scope):
    transforms, preprocessor, head = TASKS[task]
    dataset = DATASETS.build(
        {
            'type': 'mmssl.UnlabeledDataset',
            'data_root': str(camvid_root),
            'data_prefix': {'img_path': 'val'},
            'indices': 4,
            'pipeline': [{'type': 'mmssl.LoadImage'}, *transforms, {'type': 'PackInputs'}],
        }
    )
    torch.manual_seed(0)
    model = MODELS.build(
        {
            'type': 'ImageClassifier',
            'backbone': {'type': 'mmssl.ERFNetEncoder'},
            'head': {'type': 'mmssl.PretextClsHead', **head},
            'data_preprocessor': dict(preprocessor),
        }
    )
    batch = collate([dataset[index] for index in range(4)])
    before = {name: value.clone() for name, value in model.named_parameters()}
    # The gradients outlive the step only if they are looked at before the next: take the losses by hand.
    data = model.data_preprocessor(batch, True)
    losses = model(**data, mode='loss')
    losses['loss'].backward()
    without = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    # A bias right before a batch norm has a gradient of rounding errors or none; every other weight has one.
    assert [name for name in without if name.endswith('weight')] == []
    model.zero_grad()
    log = model.train_step(batch, OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))
    assert 0 < log['loss'].item() < 20
    assert log['accuracy_top-1'].item() in (0, 25, 50, 75, 100)
    assert not torch.equal(before['backbone.layers.1.conv.weight'], model.backbone.layers['1'].conv.weight)
    model.eval()
    outputs = model.val_step(batch)
    assert all(sample.pred_score.shape == (head['num_classes'],) for sample in outputs)
    metric = Accuracy(topk=1)
    metric.process(batch, [sample.to_dict() for sample in outputs])
    right = sum(sample.pred_label.item() == sample.gt_label.item() for sample in outputs)
    assert metric.evaluate(4) == {'accuracy/top1': 25.0 * right}


def test_jigsaw_can_be_learned(mmpretrain_scope):
    """Two permutations of one image whose cells differ: a step or sixty tell them apart."""
    orders = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1, 0]])
    torch.manual_seed(0)
    cells = torch.randint(0, 256, (9, 3, 16, 16), dtype=torch.uint8)
    from mmpretrain.structures import DataSample

    batch = {
        'inputs': cells[orders],
        'data_samples': [DataSample().set_gt_label(0), DataSample().set_gt_label(1)],
    }
    model = MODELS.build(
        {
            'type': 'ImageClassifier',
            'backbone': {'type': 'mmssl.ERFNetEncoder', 'dropout': (0, 0), 'depth': 1, 'dilations': (1,)},
            'head': {'type': 'mmssl.PretextClsHead', 'num_classes': 2, 'num_patches': 9},
            'data_preprocessor': {'type': 'mmssl.PatchDataPreprocessor'},
        }
    )
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-3))
    losses = [model.train_step(batch, optimizer)['loss'].item() for _ in range(60)]
    assert losses[-1] < 0.1 * losses[0]
