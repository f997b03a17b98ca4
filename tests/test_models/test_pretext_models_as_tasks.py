"""Every pretext model beside a segmentation: its loss is that of the same model with an encoder of its own."""

import copy

import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate
from multi_task_cases import COLOURS, NORM, PIXELS, SEGMENTOR

from mmssl.apis.config import load_config
from mmssl.datasets import MultiTaskSegDataset
from mmssl.errors import DataError
from mmssl.registry import MODELS

pytestmark = pytest.mark.usefixtures('mmseg_scope')
SIZE = (64, 64)
DEPTH = 32  # channels of the encoder's map
LOAD = {'type': 'mmssl.LoadStreetScene', 'with_labels': False}
PACK_LABEL = {'type': 'mmpretrain.PackInputs'}
PATCHES = {'grid_size': 48, 'patch_size': 16, 'seed': 0}
VIEW = [{'type': 'mmpretrain.RandomResizedCrop', 'scale': 32}, {'type': 'mmpretrain.RandomFlip', 'prob': 0.5}]
PIXELS_64 = {**PIXELS, 'size': SIZE}
MAIN = {
    **SEGMENTOR,
    'data_preprocessor': PIXELS_64,
    'decode_head': {**SEGMENTOR['decode_head'], 'num_classes': 11},
}


def classifier(preprocessor: dict | None = None, **head) -> dict:
    return {
        '_scope_': 'mmpretrain',
        'type': 'ImageClassifier',
        'data_preprocessor': preprocessor or {'type': 'ClsDataPreprocessor', **COLOURS, 'to_rgb': True},
        'head': {'type': 'mmssl.PretextClsHead', 'in_channels': DEPTH, 'hidden_channels': 16, **head},
    }


def dense(kind: str, **head) -> dict:
    head = {'type': f'mmssl.{kind}', 'in_channels': DEPTH, 'norm_cfg': NORM, **head}
    return {'type': 'EncoderDecoder', 'decode_head': head, 'train_cfg': {}, 'test_cfg': {'mode': 'whole'}}


def views(kind: str, **parts) -> dict:
    preprocessor = {'type': 'SelfSupDataPreprocessor', **COLOURS, 'to_rgb': True}
    return {'_scope_': 'mmpretrain', 'type': kind, 'data_preprocessor': preprocessor, **parts}


def pack(*keys: str) -> dict:
    return {'type': 'mmssl.PackPretextInputs', 'pixel_keys': keys}


IN_PATCHES = {'type': 'mmssl.PatchDataPreprocessor'}
PREDICTOR = {'type': 'NonLinearNeck', 'in_channels': 8, 'hid_channels': 8, 'out_channels': 8, 'with_avg_pool': False}
TASKS = {
    'rotation': (classifier(num_classes=4), [{'type': 'mmssl.RotationTarget', 'seed': 0}, PACK_LABEL]),
    'jigsaw': (
        classifier(IN_PATCHES, num_classes=100, num_patches=9),
        [{'type': 'mmssl.JigsawTarget', **PATCHES}, PACK_LABEL],
    ),
    'relative_patch': (
        classifier(IN_PATCHES, num_classes=8, num_patches=2),
        [{'type': 'mmssl.RelativePatchTarget', **PATCHES}, PACK_LABEL],
    ),
    'colorization': (dense('ColorizationHead'), [{'type': 'mmssl.ColorizationTarget'}, pack('gt_ab')]),
    'colorization_ce': (dense('QuantizedColorizationHead'), [{'type': 'mmssl.ColorizationTarget'}, pack('gt_ab')]),
    'otsu': (
        dense('ERFNetDecodeHead', num_classes=4),
        [{'type': 'mmssl.OtsuTarget', 'classes': 4}, {'type': 'PackSegInputs'}],
    ),
    'inpainting': (
        dense('ReconstructionHead', region='erased'),
        [{'type': 'mmssl.InpaintingTarget', 'seed': 0}, pack('gt_image', 'gt_erased')],
    ),
    'denoising': (dense('ReconstructionHead'), [{'type': 'mmssl.DenoisingTarget', 'seed': 0}, pack('gt_image')]),
    'simclr': (
        views(
            'mmssl.NTXentSimCLR',
            neck={'type': 'mmssl.MaxPoolMLP', 'in_channels': DEPTH, 'hidden_channels': 16, 'out_channels': 16},
            head={'type': 'mmssl.NTXentHead'},
        ),
        [{'type': 'mmpretrain.MultiView', 'num_views': 2, 'transforms': [VIEW]}, PACK_LABEL],
    ),
}


def scenes(pipeline: list[dict], load: dict = LOAD) -> dict:
    cfg = {'type': 'mmssl.StreetScenesDataset', 'num_images': 3, 'seed': 1, 'size': SIZE}
    return {**cfg, 'pipeline': [load, *pipeline]}


def samples(names) -> list[dict]:
    """Three samples of the segmentation and of tasks; some transforms draw from numpy's global generator."""
    torch.manual_seed(0)
    dataset = MultiTaskSegDataset(
        segmentation=scenes([{'type': 'PackSegInputs'}], {'type': 'mmssl.LoadStreetScene'}),
        tasks={name: scenes(TASKS[name][1]) for name in names},
    )
    return [dataset[index] for index in range(3)]


def doubled(inputs):
    return [view.double() for view in inputs] if isinstance(inputs, list) else inputs.double()


def joint_model(names, **options):
    torch.manual_seed(0)
    tasks = {name: {'model': TASKS[name][0]} for name in names}
    model = MODELS.build({'type': 'mmssl.MultiTaskSegmentor', 'segmentor': MAIN, 'tasks': tasks, **options})
    model.double().train().begin_iteration(0, 0)
    return model


def joint_losses(model, data: list[dict]) -> dict:
    prepared = model.data_preprocessor(pseudo_collate(copy.deepcopy(data)), True)
    inputs = {name: doubled(images) for name, images in prepared['inputs'].items()}
    losses = model.loss(inputs, prepared['data_samples'])
    losses['loss'].backward()
    return losses


def own_model(name: str, model):
    """The pretext model as its own recipe has it, with the weights of a task and of the shared encoder."""
    cfg = {'data_preprocessor': PIXELS_64, **TASKS[name][0], 'backbone': SEGMENTOR['backbone']}
    own = MODELS.build(cfg).double().train()
    encoder = {f'backbone.{key}': value for key, value in model.encoder.state_dict().items()}
    own.load_state_dict({**model.tasks[name].state_dict(), **encoder})
    return own


def own_loss(name: str, own, data: list[dict]) -> torch.Tensor:
    """Its loss on the same images, as its own loader collates them."""
    collate = default_collate if name == 'simclr' else pseudo_collate
    part = collate([{key: copy.deepcopy(sample[key][name]) for key in sample} for sample in data])
    prepared = own.data_preprocessor(part, True)
    loss, _ = own.parse_losses(own.loss(doubled(prepared['inputs']), prepared['data_samples']))
    return loss


def flat(module) -> torch.Tensor:
    """All gradients of a module in one vector."""
    return torch.cat([weight.grad.flatten() for weight in module.parameters()])


@pytest.mark.parametrize('mode', ['joint', 'sequential'])
@pytest.mark.parametrize('name', TASKS)
def test_a_task_has_the_loss_and_gradients_of_its_own_model(name, mode):
    model, data = joint_model([name], mode=mode, checkpointing=mode == 'sequential'), samples([name])
    own = own_model(name, model)
    found, expected = joint_losses(model, data)[f'{name}.unweighted'], own_loss(name, own, data)
    assert expected > 0
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    expected.backward()
    theirs = dict(own.named_parameters())
    for key, value in model.tasks[name].named_parameters():
        assert value.grad.any() and torch.allclose(value.grad, theirs[key].grad, rtol=1e-9, atol=1e-12), key


def test_all_tasks_in_one_step():
    model, data = joint_model(TASKS), samples(TASKS)
    owns = {name: own_model(name, model) for name in TASKS}
    found = joint_losses(model, data)
    losses = {name: own_loss(name, own, data) for name, own in owns.items()}
    for name, expected in losses.items():
        assert found[f'{name}.unweighted'].item() == pytest.approx(expected.item(), rel=1e-12), name
    total = float(sum(losses.values()).detach() + found['segmentation.unweighted'])
    assert found['loss'].item() == pytest.approx(total, rel=1e-12)
    # The shared encoder has the sum of all gradients; that of the segmentation is what is left.
    alone = joint_model(TASKS)
    for task in alone.schedules.values():
        task.weight = 0.0
    joint_losses(alone, data)
    for loss in losses.values():
        loss.backward()
    parts = [flat(own.backbone) for own in owns.values()]
    expected = flat(alone.encoder) + sum(parts)
    assert (flat(model.encoder) - expected).abs().max() < 1e-9 * expected.abs().max()
    assert all(part.abs().max() > 1e-6 * expected.abs().max() for part in parts)


def test_views_of_several_sizes_are_told():
    model, data = joint_model(['simclr']), samples(['simclr'])
    data[1]['inputs']['simclr'][0] = data[1]['inputs']['simclr'][0][..., :16]
    with pytest.raises(DataError, match=r"task 'simclr': view 0 has images of the shapes \[\(3, 32, 16\), \(3, 32, 32"):
        model.data_preprocessor(pseudo_collate(data), True)


def test_a_target_network_is_refused():
    neck = {**PREDICTOR, 'in_channels': DEPTH, 'with_avg_pool': True}
    head = {'type': 'LatentPredictHead', 'predictor': PREDICTOR, 'loss': {'type': 'CosineSimilarityLoss'}}
    tasks = {'views': {'model': views('BYOL', neck=neck, head=head)}}
    with pytest.raises(ValueError, match="task 'views': BYOL has a target network, a second encoder that follows"):
        MODELS.build({'type': 'mmssl.MultiTaskSegmentor', 'segmentor': MAIN, 'tasks': tasks})


def test_pixpro_is_refused_for_its_teacher(repository):
    cfg = load_config(str(repository / 'configs/_base_/models/pixpro_erfnet.py')).model
    model = {'_scope_': 'mmpretrain', **{key: value for key, value in cfg.items() if key != 'backbone'}}
    with pytest.raises(ValueError, match="task 'pixels': PixPro has a target network, a second encoder that follows"):
        MODELS.build({'type': 'mmssl.MultiTaskSegmentor', 'segmentor': MAIN, 'tasks': {'pixels': {'model': model}}})
