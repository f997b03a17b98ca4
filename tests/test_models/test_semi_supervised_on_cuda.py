"""The semi-supervised step on a GPU: what the CPU computes, and nothing read back on the way."""

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope

from mmssl.testing import paired_batch

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='what is tested is the way to and from a GPU')

CLASSES = 5
SIZE = (64, 96)
AUGMENTATIONS = [
    {'type': 'mmssl.BatchColorJitter', 'prob': 1.0, 'per': 'image'},
    {'type': 'mmssl.BatchGaussianBlur', 'prob': 1.0, 'per': 'image'},
]
ALIGNMENT = {'target': [1.0, 2.0, 3.0, 4.0, 5.0]}
MIXINGS = ('ClassMix', 'CutMix', 'CowMix')


def build(repository, device, **options):
    init_default_scope('mmseg')
    segmentor = Config.fromfile(repository / 'configs/_base_/models/erfnet.py').model
    segmentor.decode_head.num_classes = CLASSES
    segmentor.decode_head.loss_decode = {'type': 'mmssl.WeightedCrossEntropyLoss'}
    segmentor.data_preprocessor.size = SIZE
    segmentor.backbone.dropout = (0.0, 0.0)
    torch.manual_seed(0)
    model = MODELS.build(dict(type='mmssl.SemiSupervisedSegmentor', segmentor=segmentor, **options)).to(device)
    model.teacher.synchronize(model.student)
    model.begin_iteration(3, 0)
    return model.train()


def mixed(repository, device, probabilities, **options):
    model = build(repository, device, augmentations=AUGMENTATIONS, distribution_alignment=ALIGNMENT, **options)
    data = model.data_preprocessor(paired_batch(CLASSES, size=SIZE), True)
    batch = model.mix_batch(data['inputs'], data['data_samples'], probabilities.to(device))
    return batch.images.cpu(), batch.labels.cpu(), batch.weight.cpu()


# CowMix draws its noise on the device and therefore has other masks there.
@pytest.mark.parametrize('mixing', ['ClassMix', 'CutMix'])
@pytest.mark.parametrize('mix_source', ['unlabeled', 'labeled'])
def test_mixed_batch_is_that_of_the_cpu(repository, mixing, mix_source):
    probabilities = torch.randn(2, CLASSES, *SIZE, generator=torch.Generator().manual_seed(1)).mul(4).softmax(1)
    options = {'mixing': {'type': f'mmssl.{mixing}'}, 'mix_source': mix_source}
    images, labels, weight = mixed(repository, 'cuda', probabilities, **options)
    expected_images, expected_labels, expected_weight = mixed(repository, 'cpu', probabilities, **options)
    # The aligned probabilities of two classes can be equal but for rounding.
    assert (labels != expected_labels).float().mean() < 1e-3
    torch.testing.assert_close(images, expected_images, rtol=0, atol=2e-3)  # of a range of about 4.5
    torch.testing.assert_close(weight, expected_weight, rtol=0, atol=1e-3)


@pytest.mark.parametrize('mixing', MIXINGS)
@pytest.mark.parametrize('mix_source', ['unlabeled', 'labeled'])
def test_mixing_and_the_teacher_read_nothing_back(repository, mixing, mix_source):
    model = build(
        repository,
        'cuda',
        mixing={'type': f'mmssl.{mixing}'},
        mix_source=mix_source,
        augmentations=AUGMENTATIONS,
        distribution_alignment=ALIGNMENT,
    )
    data = model.data_preprocessor(paired_batch(CLASSES, size=SIZE), True)
    inputs, samples = data['inputs'], data['data_samples']
    model.mix_batch(inputs, samples, model.teach(inputs['unlabeled']))  # libraries make their plans, which may wait
    model.teacher.update(model.student)
    torch.cuda.synchronize()
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode('error')
    try:
        with pytest.raises(RuntimeError, match='synchroniz'):
            inputs['unlabeled'].sum().item()  # the mode does see what is read back
        probabilities = model.teach(inputs['unlabeled'])
        batch = model.mix_batch(inputs, samples, probabilities)
        model.teacher.update(model.student)
    finally:
        torch.cuda.set_sync_debug_mode(before)
    assert batch.images.is_cuda and not probabilities.requires_grad
    assert int(model.teacher.steps) == 2


@pytest.mark.parametrize('wrapper', ['OptimWrapper', 'AmpOptimWrapper'])
def test_a_step_moves_the_student_by_gradient_and_the_teacher_by_the_average(repository, wrapper):
    model = build(repository, 'cuda', mixing={'type': 'mmssl.ClassMix'}, teacher={'alpha': 0.5, 'ramp': False})
    settings = {'type': wrapper, 'optimizer': {'type': 'Adam', 'lr': 1e-3, 'fused': True}}
    if wrapper == 'AmpOptimWrapper':
        settings['dtype'] = 'bfloat16'
    optim_wrapper = build_optim_wrapper(model, settings)
    old = {name: value.clone() for name, value in model.student.named_parameters()}
    losses = model.train_step(paired_batch(CLASSES, size=SIZE), optim_wrapper)
    assert all(bool(torch.isfinite(value)) for value in losses.values()) and 'loss_unlabeled' in losses
    assert all(parameter.grad is None for parameter in model.teacher.parameters())
    model.teacher.update(model.student)
    teacher = dict(model.teacher.model.named_parameters())
    moved = 0
    for name, value in model.student.named_parameters():
        torch.testing.assert_close(teacher[name], (old[name] + value) / 2, rtol=1e-5, atol=1e-6)
        moved += int(not torch.equal(value, old[name]))
    assert moved == len(old)
