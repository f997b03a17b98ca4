"""The steps that benchmark.py measures, on mmseg's and our ERFNet."""

import pytest
import torch
from torch import nn

from mmssl.apis.peak_memory import measure_here, tensor_bytes
from mmssl.apis.segmentor_workload import WorkloadSpec, build_workload, load_weights
from mmssl.testing import synthetic_labels

MMSEG = 'mmseg::erfnet/erfnet_fcn_4xb4-160k_cityscapes-512x1024.py'


def test_labels_have_all_kinds():
    labels = torch.stack(synthetic_labels((40, 72), 3, 5, seed=1))
    assert labels.shape == (3, 1, 40, 72)
    assert labels.dtype == torch.int64
    assert set(labels.unique().tolist()) == {0, 1, 2, 3, 4, 255}
    for mask in labels:
        assert 0 < (mask == 255).sum() < mask.numel()
    # Constant blocks of 16 pixels, apart from the one marked pixel in the corner.
    assert (labels[:, :, 16:32, 16:32] == labels[:, :, 16:17, 16:17]).all()


def test_inference_is_test_step_at_the_size_of_the_images(mmseg_scope):
    workload = build_workload(WorkloadSpec(MMSEG, 'inference', (48, 80), 2))
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in workload.model.modules())
    assert workload.norms == workload.norms_left > 0  # mmseg's blocks do not say how to fold
    results = workload.step()
    assert [tuple(result.pred_sem_seg.data.shape) for result in results] == [(1, 48, 80)] * 2
    logits = results[0].seg_logits.data
    assert logits.shape == (19, 48, 80)
    assert not logits.requires_grad
    assert torch.equal(results[0].pred_sem_seg.data[0], logits.argmax(0))


def test_folding_is_reported_and_keeps_the_result(mmseg_scope, repository):
    config = str(repository / 'configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py')
    folded, plain = (
        build_workload(WorkloadSpec(config, 'inference', (48, 80), 1, fold=fold)) for fold in (True, False)
    )
    assert folded.norms_left < folded.norms == plain.norms == plain.norms_left
    a, b = (workload.step()[0].seg_logits.data for workload in (folded, plain))
    assert (a - b).abs().max() < 1e-4 * b.abs().max()


def test_training_step_trains_at_the_shape_asked_for(mmseg_scope):
    # The recipe pads to 512x1024; the measurement must not.
    workload = build_workload(WorkloadSpec(MMSEG, 'train', (32, 64), 2, options={'optim_wrapper.optimizer.lr': 0.1}))
    shapes = []
    workload.model.backbone.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    before = {name: weight.detach().clone() for name, weight in workload.model.named_parameters()}
    losses = workload.step()
    assert shapes == [(2, 3, 32, 64)]
    assert torch.isfinite(losses['loss'])
    changed = [name for name, weight in workload.model.named_parameters() if not torch.equal(weight, before[name])]
    assert 'decode_head.conv_seg.weight' in changed
    assert len(changed) > 0.9 * len(before)


def test_memory_counts_weights_and_activations(mmseg_scope):
    small, large = (WorkloadSpec(MMSEG, 'inference', shape, 1) for shape in ((32, 64), (512, 1024)))
    weights = tensor_bytes(build_workload(small).model)
    assert 4 * 2_084_095 <= weights < 4 * 2_084_095 * 1.01  # the rest are statistics of the norms
    # Logits alone are 19 x 512 x 1024 float32, 40 MB.
    assert measure_here(large) > weights + 19 * 512 * 1024 * 4


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'shape': (0, 8)}, 'positive numbers expected'),
        ({'mode': 'test'}, "mode: 'test'"),
        ({'config': 'mmseg::_base_/datasets/cityscapes.py'}, 'no key "model"'),
        ({'config': 'mmseg::_base_/models/erfnet_fcn.py', 'mode': 'train'}, 'no key "optim_wrapper"'),
        ({'options': {'model.backbone.speed': 1}}, 'cannot be built'),
        ({'options': {'modle.backbone': 1}}, 'modle'),
        ({'config': 'mmdet::yolof/yolof_r50-c5_8xb8-1x_coco.py'}, 'YOLOF found'),
        ({'checkpoint': 'missing.pth'}, 'missing.pth: no such file'),
    ],
)
def test_bad_input_is_one_line(change, message, mmseg_scope):
    settings = {'config': MMSEG, 'mode': 'inference', 'shape': (32, 32), 'batch_size': 1, **change}
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        build_workload(WorkloadSpec(**settings))
    assert '\n' not in str(caught.value)


def test_weights_must_fit(tmp_path):
    model = nn.Linear(2, 2)
    torch.save({'state_dict': {'weight': torch.full((2, 2), 3.0), 'bias': torch.zeros(2)}}, tmp_path / 'good.pth')
    load_weights(model, tmp_path / 'good.pth')
    assert (model.weight == 3).all()
    torch.save({'weight': torch.zeros(2, 2)}, tmp_path / 'part.pth')
    with pytest.raises(ValueError, match=r'part\.pth: .*bias'):
        load_weights(model, tmp_path / 'part.pth')
    (tmp_path / 'text.pth').write_text('no checkpoint')
    with pytest.raises(ValueError, match=r'text\.pth'):
        load_weights(model, tmp_path / 'text.pth')
