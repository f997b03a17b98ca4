"""A task of a joint recipe alone: its config builds and its weights fit."""

import pytest
import torch
from mmengine.registry import DATASETS, MODELS, init_default_scope

from mmssl.apis.config import ConfigError, load_config
from mmssl.apis.single_task import single_task_config, single_task_state

RECIPE = 'configs/multi_task/joint-all_erfnet_1xb4-1000i_camvid-1of8-96x128.py'
TASKS = ['inpainting', 'denoising', 'colorization', 'jigsaw']


@pytest.fixture(scope='module')
def joint(repository):
    cfg = load_config(str(repository / RECIPE))
    init_default_scope(cfg.default_scope)
    return cfg


@pytest.fixture(scope='module')
def state(joint):
    return MODELS.build(joint.model).state_dict()


@pytest.mark.parametrize('task', TASKS)
def test_weights_of_a_task_fill_its_own_model(joint, state, task):
    cfg = single_task_config(joint, task, 'joint')
    own = single_task_state(state, task)
    model = MODELS.build(cfg.model)
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == {
        name: tensor.shape for name, tensor in own.items()
    }
    assert torch.equal(own['backbone.layers.1.conv.weight'], state['segmentor.backbone.layers.1.conv.weight'])
    assert cfg.val_dataloader is None and cfg.val_cfg is None


def test_encoder_of_a_student_is_found():
    state = {
        'segmentor.student.backbone.a': torch.ones(1),
        'segmentor.teacher.model.backbone.a': torch.zeros(1),
        'segmentor.student.decode_head.b': torch.zeros(1),
        'tasks.jigsaw.head.c': torch.full((1,), 2.0),
        'tasks.jigsaws.head.c': torch.full((1,), 3.0),
    }
    own = single_task_state(state, 'jigsaw')
    assert {name: tensor.item() for name, tensor in own.items()} == {'backbone.a': 1.0, 'head.c': 2.0}
    assert single_task_state({'backbone.a': torch.ones(1)}, 'jigsaw') == {}


def test_the_segmentation_alone_is_the_recipe_that_the_joint_one_inherits(joint, repository):
    cfg = single_task_config(joint, 'segmentation', 'joint')
    plain = load_config(str(repository / 'configs/classmix/supervised_erfnet_1xb4-1000i_camvid-1of8-96x128.py'))
    assert cfg.model == plain.model
    assert cfg.train_dataloader == plain.train_dataloader
    assert cfg.val_dataloader == plain.val_dataloader


def test_images_of_a_task_are_those_of_the_joint_recipe(joint, camvid_root, repository, monkeypatch):
    monkeypatch.chdir(repository)
    dataset = DATASETS.build(single_task_config(joint, 'inpainting', 'joint').train_dataloader.dataset)
    assert len(dataset) == 367
    assert set(dataset[0]['data_samples'].keys()) == {'gt_image', 'gt_erased'}


@pytest.mark.parametrize('task', ['puzzle', ''])
def test_a_task_that_is_not_there(joint, task):
    with pytest.raises(ConfigError, match=rf"joint: task '{task}' found, expected one of \['segmentation', 'inpain"):
        single_task_config(joint, task, 'joint')
