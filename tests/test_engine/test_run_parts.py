"""The main model, images and batch of a run, whatever is around them."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import MODEL_WRAPPERS
from multi_task_cases import SEGMENTOR, build
from torch import nn

from mmssl.datasets import MultiTaskSegDataset
from mmssl.engine.hooks import ClassWeightHook, MeanTeacherHook, MixPictureHook
from mmssl.engine.run_parts import main_dataset, main_model, main_samples, plain_model
from mmssl.errors import DataError

pytestmark = pytest.mark.usefixtures('mmseg_scope')


@pytest.fixture
def wrap():
    @MODEL_WRAPPERS.register_module(name='Wrap')
    class Wrap(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    yield Wrap
    MODEL_WRAPPERS._module_dict.pop('Wrap')


def test_models(wrap):
    layer, several = nn.Linear(1, 1), build()
    for model, plain, main in ((layer, layer, layer), (several, several, several.segmentor)):
        for runner_model in (model, wrap(model), wrap(wrap(model))):
            runner = SimpleNamespace(model=runner_model)
            assert plain_model(runner) is plain
            assert main_model(runner) is main


def test_datasets():
    sides = {'segmentation': [1, 2], 'colour': [3]}
    several = MultiTaskSegDataset(segmentation=sides['segmentation'], tasks={'colour': sides['colour']})
    for dataset, main in ((sides['segmentation'], sides['segmentation']), (several, sides['segmentation'])):
        for given in (dataset, SimpleNamespace(_dataset=dataset)):  # as num_batch_per_epoch slices it
            assert main_dataset(SimpleNamespace(train_dataloader=SimpleNamespace(dataset=given))) is main


def test_batches():
    pairs = {'labeled': [1], 'unlabeled': [2]}
    for samples in ([1, 2], pairs):
        assert main_samples({'data_samples': samples}) is samples
        assert main_samples({'data_samples': {'segmentation': samples, 'colour': [3]}}) is samples


def test_hooks_name_the_segmentor_that_does_not_fit():
    runner = SimpleNamespace(model=build(), hooks=[], iter=0)
    with pytest.raises(DataError, match='MeanTeacherHook: EncoderDecoder has no student'):
        MeanTeacherHook().before_train(runner)
    with pytest.raises(ValueError, match='MixPictureHook: EncoderDecoder leaves no record'):
        MixPictureHook().before_train(runner)


def test_class_weights_are_not_for_the_heads_of_tasks():
    """A pretext task has other classes; its loss does not ask for the shares of the segmentation's."""
    head = {**SEGMENTOR['decode_head'], 'num_classes': 4}
    head['loss_decode'] = {'type': 'mmssl.WeightedCrossEntropyLoss', 'class_weight': 'enet'}
    task = {key: value for key, value in SEGMENTOR.items() if key != 'backbone'}
    model = build({'otsu': {'model': {**task, 'decode_head': head}}})
    assert isinstance(model.tasks['otsu'].decode_head.loss_decode, torch.nn.Module)
    with pytest.raises(ValueError, match="no mmssl.WeightedCrossEntropyLoss with class_weight='enet' in the model"):
        ClassWeightHook(cache_dir=None).before_train(SimpleNamespace(model=model))
