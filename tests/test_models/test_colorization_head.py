"""ERFNet that colours: loss by hand, units and sizes of predictions, a step; and ERFNet on Otsu clusters."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmssl.models.decode_heads.colorization_head import ColorizationHead
from mmssl.models.decode_heads.erfnet_head import ERFNetDecodeHead
from mmssl.registry import MODELS, TRANSFORMS

SIZE = (32, 48)


def segmentor(head: dict, **test_cfg) -> torch.nn.Module:
    return MODELS.build(
        ConfigDict(
            {
                'type': 'mmseg.EncoderDecoder',
                'data_preprocessor': {
                    'type': 'mmseg.SegDataPreProcessor',
                    'mean': [120.0] * 3,
                    'std': [60.0] * 3,
                    'bgr_to_rgb': True,
                    'size': SIZE,
                    'test_cfg': {'size_divisor': 8},
                },
                'backbone': {'type': 'mmssl.ERFNetEncoder', 'dropout': (0, 0)},
                'decode_head': head,
                'train_cfg': {},
                'test_cfg': {'mode': 'whole', **test_cfg},
            }
        )
    )


def batch(steps: list[dict], size=SIZE, number=2) -> dict:
    """What a loader gives: smooth random pictures through a pipeline."""
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    generator = np.random.default_rng(0)
    samples = []
    for index in range(number):
        coarse = generator.integers(0, 256, (4, 6, 3), dtype=np.uint8)
        samples.append(pipeline({'img': cv2.resize(coarse, size[::-1]), 'img_path': f'{index}.png'}))
    return pseudo_collate(samples)


COLOUR = [{'type': 'mmssl.ColorizationTarget'}, {'type': 'mmssl.PackPretextInputs'}]
OTSU = [{'type': 'mmssl.OtsuTarget', 'classes': 4}, {'type': 'mmseg.PackSegInputs'}]


def targets(*values) -> list[SegDataSample]:
    """A sample for each pair (a, b), 2x2 pixels that all have these values."""
    samples = []
    for a, b in values:
        data = torch.tensor([a, b], dtype=torch.int8)[:, None, None].expand(2, 2, 2)
        samples.append(SegDataSample(metainfo={'img_path': f'{a}.png'}, gt_ab=PixelData(data=data)))
    return samples


@pytest.fixture
def head(mmseg_scope):
    return ColorizationHead(ab_scale=128.0)


def test_layers_are_the_decoders(head):
    """Names and shapes as ERFNetDecodeHead's, two outputs, no parameter or buffer more."""
    theirs = ERFNetDecodeHead(num_classes=19).state_dict()
    ours = head.state_dict()
    assert set(ours) == set(theirs)
    different = {name for name in ours if ours[name].shape != theirs[name].shape}
    assert different == {'conv_seg.weight', 'conv_seg.bias'}
    assert ours['conv_seg.weight'].shape == (16, 2, 2, 2)
    assert sum(parameter.numel() for parameter in head.parameters()) == 190_147 - 17 * (16 * 4 + 1)


@pytest.mark.parametrize('scale', [1.0, 128.0])
def test_loss_by_hand(mmseg_scope, scale):
    """Predicted a = 10, b = -20 everywhere; truth (0, 0) and (40, -128): squared errors 100, 400, 900, 11664."""
    head = ColorizationHead(ab_scale=scale)
    predicted = (torch.tensor([10.0, -20.0]) / scale)[None, :, None, None].expand(2, 2, 2, 2)
    losses = head.loss_by_feat(predicted, targets((0, 0), (40, -128)))
    mean = (100 + 400 + 900 + 11664) / 4
    assert losses['loss_ab'].item() == pytest.approx(mean / scale**2, rel=1e-6)
    assert losses['rmse_ab'].item() == pytest.approx(mean**0.5, rel=1e-6)
    assert not losses['rmse_ab'].requires_grad


def test_a_constant_prediction_through_the_model(mmseg_scope):
    """With the last layer set to a constant, loss and prediction are known whatever the encoder does."""
    model = segmentor({'type': 'mmssl.ColorizationHead', 'ab_scale': 128.0})
    torch.nn.init.zeros_(model.decode_head.conv_seg.weight)
    model.decode_head.conv_seg.bias.data = torch.tensor([0.25, -0.5])
    data = batch(COLOUR)
    truth = np.stack([sample.gt_ab.data.numpy() for sample in data['data_samples']]).astype(np.float64)
    error = truth - np.array([32.0, -64.0])[None, :, None, None]
    training = model.data_preprocessor(data, training=True)
    losses = model.loss(**training)
    assert losses['decode.loss_ab'].item() == pytest.approx((error**2).mean() / 128**2, rel=1e-5)
    total, _ = model.parse_losses(losses)
    assert total.item() == losses['decode.loss_ab'].item()
    for sample in model.eval().test_step(batch(COLOUR)):
        assert sample.seg_logits.data.shape == (2, *SIZE)
        assert sample.seg_logits.data[0].unique().tolist() == [32.0]
        assert sample.seg_logits.data[1].unique().tolist() == [-64.0]


def test_predictions_have_the_size_of_the_target(mmseg_scope):
    """30x45 is padded to 32x48 for the network; the padding is cut off again."""
    model = segmentor({'type': 'mmssl.ColorizationHead', 'ab_scale': 128.0}).eval()
    data = batch(COLOUR, size=(30, 45))
    (first, second) = model.test_step(data)
    assert first.seg_logits.shape == second.gt_ab.shape == (30, 45)


def test_sliding_window_gives_lab_units(mmseg_scope):
    model = segmentor(
        {'type': 'mmssl.ColorizationHead', 'ab_scale': 128.0}, mode='slide', stride=(16, 16), crop_size=(16, 24)
    ).eval()
    torch.nn.init.zeros_(model.decode_head.conv_seg.weight)
    model.decode_head.conv_seg.bias.data = torch.tensor([0.25, -0.5])
    (first, _) = model.test_step(batch(COLOUR))
    assert first.seg_logits.data.mean(dim=(1, 2)).tolist() == [32.0, -64.0]


@pytest.mark.parametrize(
    ('settings', 'steps'),
    [
        ({'type': 'mmssl.ColorizationHead', 'ab_scale': 128.0}, COLOUR),
        ({'type': 'mmssl.ERFNetDecodeHead', 'num_classes': 4}, OTSU),
    ],
)
def test_steps_lower_the_loss_and_reach_every_parameter(mmseg_scope, settings, steps):
    torch.manual_seed(0)
    model = segmentor(settings).train()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), lr=2e-3))
    losses = [model.train_step(batch(steps), wrapper)['loss'].item() for _ in range(12)]
    assert losses[-1] < 0.7 * losses[0]
    unmoved = [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])]
    assert unmoved == []
    total, _ = model.parse_losses(model.loss(**model.data_preprocessor(batch(steps), training=True)))
    total.backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_half_precision_losses_are_computed_in_float32(head):
    """300**2 and 600 * 128 are above 65504, the end of float16."""
    predicted = torch.full((1, 2, 2, 2), 300.0, dtype=torch.float16)
    assert head.loss_by_feat(predicted, targets((0, 0)))['loss_ab'].item() == 90000
    meta = [{'img_shape': (2, 2), 'pad_shape': (2, 2)}]
    predicted = head.predict_by_feat(torch.full((1, 2, 2, 2), 600.0, dtype=torch.float16), meta)
    assert predicted.dtype == torch.float32
    assert predicted.max().item() == 600 * 128


def test_targets_of_another_size_are_told(head):
    with pytest.raises(ValueError, match=r'0\.png: gt_ab has the shape \(2, 2, 2\), expected \(2, 8, 8\)'):
        head.loss_by_feat(torch.zeros(1, 2, 8, 8), targets((0, 0)))
    with pytest.raises(ValueError, match=r'x\.png: no gt_ab, expected mmssl\.ColorizationTarget'):
        head.loss_by_feat(torch.zeros(1, 2, 8, 8), [SegDataSample(metainfo={'img_path': 'x.png'})])


@pytest.mark.parametrize(
    'ignored', ['num_classes', 'out_channels', 'threshold', 'loss_decode', 'ignore_index', 'sampler', 'act_cfg']
)
def test_options_about_classes_are_refused(mmseg_scope, ignored):
    with pytest.raises(TypeError, match=ignored):
        ColorizationHead(**{ignored: None})


@pytest.mark.parametrize('scale', [0, -1, float('nan')])
def test_a_scale_must_be_positive(mmseg_scope, scale):
    with pytest.raises(ValueError, match='ab_scale=.*, expected a number above 0'):
        ColorizationHead(ab_scale=scale)
