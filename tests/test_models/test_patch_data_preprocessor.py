"""Patches on the device: numbers by hand; classifiers of the jigsaw and the relative patch built from a config."""

import math

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import Compose, default_collate, pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope, init_default_scope
from mmpretrain.structures import DataSample

from mmssl.models.data_preprocessors.patches import PatchDataPreprocessor, normalize_each
from mmssl.registry import MODELS, TRANSFORMS


@pytest.fixture
def mmpretrain_scope():
    """Unprefixed names resolve in mmpretrain, as in the recipes of these tasks."""
    init_default_scope('mmpretrain')
    yield
    DefaultScope._instance_dict.clear()


def random_patches(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def test_each_patch_by_its_own_numbers():
    """Blue 0 2 4 6: mean 3, variance 5. Green 10 10 10 11: deviation below 1, divided by 1. Red flat."""
    blue, green, red = [[0, 2], [4, 6]], [[10, 10], [10, 11]], [[200, 200], [200, 200]]
    inputs = torch.tensor([[[blue, green, red], [red, blue, green]]], dtype=torch.uint8)
    found = PatchDataPreprocessor()({'inputs': inputs})
    five = math.sqrt(5)
    by_hand_blue = [[-3 / five, -1 / five], [1 / five, 3 / five]]
    by_hand_green, by_hand_red = [[-0.25, -0.25], [-0.25, 0.75]], [[0.0, 0.0], [0.0, 0.0]]
    # turned to red, green, blue
    expected = torch.tensor([[by_hand_red, by_hand_green, by_hand_blue], [by_hand_green, by_hand_blue, by_hand_red]])
    assert found['data_samples'] is None
    assert found['inputs'].dtype == torch.float32
    torch.testing.assert_close(found['inputs'], expected, rtol=0, atol=1e-6)
    bgr = PatchDataPreprocessor(to_rgb=False, eps=0.25)({'inputs': inputs})['inputs']
    torch.testing.assert_close(bgr[0, 0], torch.tensor(by_hand_blue), rtol=0, atol=1e-6)
    # deviation of 10 10 10 11: sqrt(3) / 4 = 0.433, above 0.25
    torch.testing.assert_close(bgr[0, 1], torch.tensor(by_hand_green) * 4 / math.sqrt(3), rtol=0, atol=1e-5)


def test_brightness_and_contrast_of_a_patch_vanish():
    patch = random_patches(6, 3, 8, 8).float()
    scale, shift = torch.tensor([0.2, 0.5, 0.9]).view(3, 1, 1), torch.tensor([5.0, -20.0, 60.0]).view(3, 1, 1)
    torch.testing.assert_close(normalize_each(patch * scale + shift), normalize_each(patch), rtol=0, atol=1e-5)


def test_by_the_numbers_of_the_dataset():
    inputs = random_patches(2, 3, 3, 4, 5)
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    found = PatchDataPreprocessor(normalize='dataset', mean=mean, std=std)({'inputs': inputs})['inputs']
    assert found.shape == (6, 3, 4, 5)
    for image in range(2):
        for patch in range(3):
            for channel in range(3):
                expected = (inputs[image, patch, 2 - channel].double() - mean[channel]) / std[channel]
                torch.testing.assert_close(found[3 * image + patch, channel].double(), expected, rtol=0, atol=1e-6)


def test_lists_and_stacks_are_the_same_and_labels_come_along():
    inputs = random_patches(4, 9, 3, 8, 8)
    samples = [DataSample().set_gt_label(label) for label in (3, 0, 99, 7)]
    preprocessor = PatchDataPreprocessor()
    stacked = preprocessor({'inputs': inputs, 'data_samples': samples}, training=True)
    listed = preprocessor({'inputs': list(inputs), 'data_samples': samples})
    assert stacked['inputs'].shape == (36, 3, 8, 8)
    assert torch.equal(stacked['inputs'], listed['inputs'])
    assert [int(sample.gt_label) for sample in stacked['data_samples']] == [3, 0, 99, 7]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'normalize': 'image'}, "normalize='image', expected one of ('patch', 'dataset')"),
        ({'normalize': 'dataset'}, "mean=None, std=None, expected 3 numbers each for normalize='dataset'"),
        (
            {'normalize': 'dataset', 'mean': [1, 2], 'std': [1, 2]},
            "mean=[1, 2], std=[1, 2], expected 3 numbers each for normalize='dataset'",
        ),
        ({'mean': [1, 2, 3]}, "mean=[1, 2, 3], std=None, expected neither with normalize='patch'"),
        ({'eps': 0}, 'eps=0, expected a positive number of grey levels'),
        (
            {'batch_augments': {'augments': {'type': 'Mixup'}}},
            "batch_augments={'augments': {'type': 'Mixup'}}, expected None, as for train_cfg of the model",
        ),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ValueError) as error:
        PatchDataPreprocessor(**options)
    assert str(error.value) == f'PatchDataPreprocessor: {message}'


@pytest.mark.parametrize('option', ['pad_size_divisor', 'pad_value', 'to_onehot', 'num_classes'])
def test_options_of_the_parent_that_would_do_nothing(option):
    with pytest.raises(TypeError, match=option):
        PatchDataPreprocessor(**{option: 1})


@pytest.mark.parametrize(
    ('inputs', 'shapes'),
    [
        (torch.zeros(2, 3, 8, 8), '[(3, 8, 8)]'),
        (torch.zeros(2, 9, 1, 8, 8), '[(9, 1, 8, 8)]'),
        ([torch.zeros(9, 3, 8, 8), torch.zeros(2, 3, 8, 8)], '[(2, 3, 8, 8), (9, 3, 8, 8)]'),
    ],
)
def test_inputs_that_are_no_patches(inputs, shapes):
    with pytest.raises(ValueError) as error:
        PatchDataPreprocessor()({'inputs': inputs})
    assert str(error.value).startswith(f'PatchDataPreprocessor: inputs of the shapes {shapes} found, expected one')


TASKS = {
    'jigsaw': ({'type': 'mmssl.JigsawTarget', 'seed': 0}, {'num_classes': 100, 'hidden_channels': 4096}, 9),
    'relative': ({'type': 'mmssl.RelativePatchTarget', 'seed': 0}, {'num_classes': 8, 'hidden_channels': 128}, 2),
}


def classifier(head: dict, patches: int) -> torch.nn.Module:
    torch.manual_seed(0)
    config = {
        'type': 'ImageClassifier',
        'data_preprocessor': {'type': 'mmssl.PatchDataPreprocessor'},
        'backbone': {'type': 'mmssl.ERFNetEncoder', 'dropout': (0, 0)},
        'head': {'type': 'mmssl.PretextClsHead', 'num_patches': patches, **head},
    }
    return MODELS.build(ConfigDict(config))


def batch(target: dict, number: int, collate) -> dict:
    """What a loader gives: random pictures through the pipeline."""
    pipeline = Compose([TRANSFORMS.build(step) for step in (target, {'type': 'PackInputs'})])
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (number, 9, 12, 3), dtype=np.uint8)
    return collate(
        [pipeline({'img': image, 'img_path': f'{i}.png', 'sample_idx': i}) for i, image in enumerate(images)]
    )


@pytest.mark.parametrize(('task', 'collate'), [('jigsaw', default_collate), ('relative', pseudo_collate)])
def test_classifier_takes_a_step_and_is_scored(mmpretrain_scope, task, collate):
    target, head, patches = TASKS[task]
    model = classifier(head, patches)
    assert model.head.mlp.hidden.weight.shape == (head['hidden_channels'], patches * 128)
    data = batch(target, 6, collate)
    labels = [int(sample.gt_label) for sample in data['data_samples']]

    # Scores of an image alone: its patches one by one through the encoder, then side by side through the head.
    model.eval()
    with torch.no_grad():
        predictions = model.test_step(data)
        prepared = model.data_preprocessor(data)['inputs']
        features = [model.backbone(patch[None])[-1].amax((2, 3))[0] for patch in prepared[patches : 2 * patches]]
        mlp = model.head.mlp
        scores = mlp.out(mlp.hidden(torch.cat(features)).relu())
    torch.testing.assert_close(predictions[1].pred_score, scores.softmax(0), rtol=1e-3, atol=1e-5)

    # Accuracy of mmpretrain on what the model predicts, against a count.
    evaluator = Evaluator({'type': 'Accuracy', 'topk': (1, 5)})
    evaluator.process([sample.to_dict() for sample in predictions], data)
    measured = evaluator.evaluate(len(labels))
    ranks = [int((p.pred_score > p.pred_score[label]).sum()) for p, label in zip(predictions, labels, strict=True)]
    assert measured['accuracy/top1'] == pytest.approx(100 * sum(rank < 1 for rank in ranks) / 6)
    assert measured['accuracy/top5'] == pytest.approx(100 * sum(rank < 5 for rank in ranks) / 6)

    # Steps of training: every parameter moves, and the loss falls.
    model.train()
    # A tenth of the thesis's rate: with 5e-4 the wide layer of the jigsaw overshoots at first on so small a batch.
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=5e-5))
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    first = float(model.train_step(data, optimizer)['loss'].detach())
    assert [name for name, value in model.named_parameters() if torch.equal(value, before[name])] == []
    assert first == pytest.approx(math.log(head['num_classes']), rel=0.5)
    for _ in range(3):
        last = float(model.train_step(data, optimizer)['loss'].detach())
    assert last < 0.2 * first


def test_classifier_of_another_number_of_patches_is_told(mmpretrain_scope):
    target, head, _ = TASKS['relative']
    model = classifier(head, 9)
    with pytest.raises(ValueError, match='2 patches in a batch, expected a multiple of num_patches=9'):
        model.test_step(batch(target, 1, default_collate))
