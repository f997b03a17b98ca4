"""The step of PixPro on a GPU: what the CPU computes, nothing read back on the way, and mixed precision."""

import pytest
import torch
from mmengine.registry import init_default_scope

from mmssl.datasets.transforms.affine_view import affine_matrix
from mmssl.models.selfsup.pixpro import PixPro
from mmssl.testing import pixel_views_batch

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='what is tested is the way to and from a GPU')

CHANNELS, SIDE = 8, 64
BN = {'type': 'BN', 'eps': 1e-3}
PROPAGATIONS = {
    'PPM': {'type': 'mmssl.PPM', 'in_channels': CHANNELS},
    'LocalPPM': {'type': 'mmssl.LocalPPM', 'in_channels': CHANNELS, 'frame_size': 5},
    'attention': {'type': 'mmssl.SelfAttentionPropagation', 'in_channels': CHANNELS},
}


def build(device, propagation='PPM', fill='black'):
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = PixPro(
        data_preprocessor={'type': 'mmpretrain.SelfSupDataPreprocessor', 'mean': [120.0] * 3, 'std': [60.0] * 3},
        backbone={'type': 'mmssl.ERFNetEncoder', 'widths': (4, 8, 16), 'dropout': (0.0, 0.0), 'norm_cfg': BN},
        neck={
            'type': 'mmssl.ConvProjector',
            'in_channels': 16,
            'hidden_channels': 16,
            'out_channels': CHANNELS,
            'norm_cfg': BN,
        },
        propagation=PROPAGATIONS[propagation],
        erasing={'type': 'mmssl.BatchRandomErasing', 'fill': fill},
        teacher={'norm_cfg': {'type': 'mmssl.MomentumBN', 'forwards_per_update': 2}},
    )
    model.to(device).train()
    model.teacher.synchronize(model.student)
    model.begin_iteration(0, 0)
    return model


def batch(model):
    data = pixel_views_batch(batch_size=3, side=SIDE)
    for sample in data['data_samples']:
        affine = sample.affine.clone()
        affine[0] = torch.from_numpy(affine_matrix(SIDE, SIDE, rotation=30.0))
        sample.set_field(affine, 'affine', field_type='metainfo')
    return model.data_preprocessor(data, True)


@pytest.mark.parametrize('propagation', PROPAGATIONS)
def test_step_is_that_of_the_cpu(propagation):
    found = {}
    for device in ('cpu', 'cuda'):
        model = build(device, propagation).double()
        data = batch(model)
        losses = model([view.double() for view in data['inputs']], data['data_samples'], mode='loss')
        losses['loss_consistency'].backward()
        gradients = {name: p.grad.cpu() for name, p in model.named_parameters() if p.grad is not None}
        found[device] = ({name: value.item() for name, value in losses.items()}, gradients)
    assert found['cuda'][0] == pytest.approx(found['cpu'][0], abs=1e-5)
    for name, gradient in found['cpu'][1].items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(found['cuda'][1][name], gradient, rtol=0, atol=1e-3 * scale + 1e-9, msg=name)


@pytest.mark.parametrize('fill', ['black', 'gaussian'])
@pytest.mark.parametrize('propagation', PROPAGATIONS)
def test_the_step_reads_nothing_back(propagation, fill):
    model = build('cuda', propagation, fill)
    data = batch(model)
    model(**data, mode='loss')['loss_consistency'].backward()  # what is set up once may wait
    model.teacher.plan(10)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        model.begin_iteration(1, 0)
        model(**data, mode='loss')['loss_consistency'].backward()
        model.teacher.update(model.student)
    finally:
        torch.cuda.set_sync_debug_mode('default')


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_mixed_precision_is_near_full_precision(dtype):
    model = build('cuda')
    data = batch(model)
    expected = model(**data, mode='loss')
    with torch.autocast('cuda', dtype):
        found = model(**data, mode='loss')
    assert found['loss_consistency'].dtype == torch.float32
    # The target's statistics moved on in between by a tenth of one batch, the same one.
    assert found['loss_consistency'].item() == pytest.approx(expected['loss_consistency'].item(), abs=0.05)
    found['loss_consistency'].backward()
    assert all(p.grad.isfinite().all() for p in model.student.parameters())
