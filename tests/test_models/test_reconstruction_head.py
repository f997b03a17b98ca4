"""ERFNet that gives images back: losses by hand, units, order of colours and sizes of predictions, steps."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmssl.models.decode_heads.erfnet_head import ERFNetDecodeHead
from mmssl.models.decode_heads.reconstruction_head import ReconstructionHead, channel_errors
from mmssl.registry import MODELS, TRANSFORMS

SIZE = (32, 48)
MEAN, STD = [120.0, 110.0, 100.0], [50.0, 60.0, 40.0]  # in the order of the network's input
UNITS = {'mean': MEAN, 'std': STD}
INPAINT = [
    {'type': 'mmssl.InpaintingTarget', 'side': 12},
    {'type': 'mmssl.PackPretextInputs', 'pixel_keys': ('gt_image', 'gt_erased')},
]
DENOISE = [
    {'type': 'mmssl.DenoisingTarget', 'std': 20},
    {'type': 'mmssl.PackPretextInputs', 'pixel_keys': ('gt_image',)},
]


def segmentor(head: dict | None = None, bgr_to_rgb: bool = True, **test_cfg) -> torch.nn.Module:
    return MODELS.build(
        ConfigDict(
            {
                'type': 'mmseg.EncoderDecoder',
                'data_preprocessor': {
                    'type': 'mmseg.SegDataPreProcessor',
                    **UNITS,
                    'bgr_to_rgb': bgr_to_rgb,
                    'size': SIZE,
                    'test_cfg': {'size_divisor': 8},
                },
                'backbone': {'type': 'mmssl.ERFNetEncoder', 'dropout': (0, 0)},
                'decode_head': {'type': 'mmssl.ReconstructionHead', **UNITS, 'bgr_to_rgb': bgr_to_rgb, **(head or {})},
                'train_cfg': {},
                'test_cfg': {'mode': 'whole', **test_cfg},
            }
        )
    )


def batch(steps: list[dict], size=SIZE, number=2) -> dict:
    """What a loader gives: smooth random pictures through a pipeline."""
    np.random.seed(0)
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    generator = np.random.default_rng(0)
    samples = []
    for index in range(number):
        coarse = generator.integers(0, 256, (4, 6, 3), dtype=np.uint8)
        samples.append(pipeline({'img': cv2.resize(coarse, size[::-1]), 'img_path': f'{index}.png'}))
    return pseudo_collate(samples)


def targets(*colours, erased=None) -> list[SegDataSample]:
    """A sample of 2x2 pixels for each colour in BGR."""
    samples = []
    for colour in colours:
        data = torch.tensor(colour, dtype=torch.uint8)[:, None, None].expand(3, 2, 2)
        sample = SegDataSample(metainfo={'img_path': f'{colour[0]}.png'}, gt_image=PixelData(data=data))
        if erased is not None:
            sample.gt_erased = PixelData(data=torch.tensor([erased]))
        samples.append(sample)
    return samples


@pytest.fixture
def head(mmseg_scope):
    return ReconstructionHead(**UNITS)


def test_layers_are_the_decoders(head):
    """Names and shapes as ERFNetDecodeHead's, three outputs, no parameter or buffer more."""
    theirs = ERFNetDecodeHead(num_classes=19).state_dict()
    ours = head.state_dict()
    assert set(ours) == set(theirs)
    different = {name for name in ours if ours[name].shape != theirs[name].shape}
    assert different == {'conv_seg.weight', 'conv_seg.bias'}
    assert sum(parameter.numel() for parameter in head.parameters()) == 190_147 - 16 * (16 * 4 + 1)


def test_mse_by_hand(head):
    """BGR (100, 170, 120) is RGB (120, 170, 100), or (0, 1, 0) in units of std; (60, 50, 220) is (2, -1, -1)."""
    predicted = torch.tensor([1.0, 1.0, 0.5])[None, :, None, None].expand(2, 3, 2, 2).clone().requires_grad_()
    losses = head.loss_by_feat(predicted, targets((100, 170, 120), (60, 50, 220)))
    red, green, blue = (1 + 1) / 2, (0 + 4) / 2, (0.25 + 2.25) / 2
    assert losses['loss_mse'].item() == pytest.approx((red + green + blue) / 3, rel=1e-6)
    grey = (2500 * red + 3600 * green + 1600 * blue) / 3
    assert losses['psnr'].item() == pytest.approx(10 * np.log10(255**2 / grey), rel=1e-6)
    assert losses['loss_mse'].requires_grad
    assert not losses['psnr'].requires_grad


def test_without_a_change_of_order(mmseg_scope):
    """A network that reads BGR: the same numbers for the target turned round."""
    head = ReconstructionHead(**UNITS, bgr_to_rgb=False)
    predicted = torch.tensor([1.0, 1.0, 0.5])[None, :, None, None].expand(1, 3, 2, 2)
    losses = head.loss_by_feat(predicted, targets((120, 170, 100)))
    assert losses['loss_mse'].item() == pytest.approx((1 + 0 + 0.25) / 3, rel=1e-6)
    picture = head.predict_by_feat(predicted, [{'img_shape': (2, 2), 'pad_shape': (2, 2)}])
    assert picture[0, :, 0, 0].tolist() == [170.0, 170.0, 120.0]


def test_the_square_alone(mmseg_scope):
    """Errors 1 in the erased pixels and 3 elsewhere; one pixel of the first, one of the second image."""
    head = ReconstructionHead(mean=[0.0] * 3, std=[1.0] * 3, region='erased')
    samples = targets((10, 10, 10), erased=[[True, False], [False, False]])
    samples += targets((20, 20, 20), erased=[[False, False], [True, True]])
    predicted = torch.full((2, 3, 2, 2), 13.0)
    predicted[0, :, 0, 0] = 11
    predicted[1] = 23
    predicted[1, :, 1] = torch.tensor([21.0, 22.0])
    losses = head.loss_by_feat(predicted, samples)
    assert losses['loss_mse'].item() == pytest.approx((1 + 1 + 4) / 3)
    assert losses['psnr'].item() == pytest.approx(10 * np.log10(255**2 / 2), rel=1e-6)
    everywhere = ReconstructionHead(mean=[0.0] * 3, std=[1.0] * 3).loss_by_feat(predicted, samples)
    assert everywhere['loss_mse'].item() == pytest.approx((1 + 3 * 9 + 2 * 9 + 1 + 4) / 8)
    empty = targets((10, 10, 10), erased=[[False, False], [False, False]])
    assert head.loss_by_feat(predicted[:1], empty)['loss_mse'].item() == 0


def test_errors_against_a_slow_reference():
    generator = torch.Generator().manual_seed(0)
    predicted, target = torch.rand(2, 3, 5, 7, generator=generator), torch.rand(2, 3, 5, 7, generator=generator)
    region = torch.rand(2, 1, 5, 7, generator=generator) < 0.3
    for channel in range(3):
        values = [
            float(predicted[b, channel, i, j] - target[b, channel, i, j]) ** 2
            for b in range(2)
            for i in range(5)
            for j in range(7)
            if region[b, 0, i, j]
        ]
        assert channel_errors(predicted, target, region)[channel].item() == pytest.approx(np.mean(values), rel=1e-5)
    assert channel_errors(predicted, target).mean().item() == pytest.approx(
        torch.nn.functional.mse_loss(predicted, target).item(), rel=1e-6
    )


@pytest.mark.parametrize('bgr_to_rgb', [True, False])
@pytest.mark.parametrize('steps', [INPAINT, DENOISE])
def test_the_input_given_back(mmseg_scope, steps, bgr_to_rgb):
    """What the preprocessor makes of the clean image is an answer without error, and predicts that image."""
    model = segmentor(bgr_to_rgb=bgr_to_rgb)
    data = batch(steps)
    clean = [sample.gt_image.data for sample in data['data_samples']]
    answer = model.data_preprocessor({**data, 'inputs': clean}, training=True)['inputs']
    assert model.decode_head.loss_by_feat(answer, data['data_samples'])['loss_mse'].item() < 1e-12
    metas = [{'img_shape': SIZE, 'pad_shape': SIZE}]
    assert torch.allclose(model.decode_head.predict_by_feat(answer, metas), torch.stack(clean).float(), atol=1e-4)
    # And what it makes of the changed one is the error of the input.
    given = model.data_preprocessor(data, training=True)['inputs']
    error = torch.stack(data['inputs']).double() - torch.stack(clean)
    expected = 10 * np.log10(255**2 / error.square().mean().item())
    losses = model.decode_head.loss_by_feat(given, data['data_samples'])
    assert losses['psnr'].item() == pytest.approx(expected, rel=1e-5)


def test_a_constant_prediction_through_the_model(mmseg_scope):
    """Outputs (1, -1, 0.5) are RGB (170, 50, 120) whatever the encoder does, and stay so through mmseg."""
    model = segmentor()
    torch.nn.init.zeros_(model.decode_head.conv_seg.weight)
    model.decode_head.conv_seg.bias.data = torch.tensor([1.0, -1.0, 0.5])
    data = batch(INPAINT)
    truth = np.stack([sample.gt_image.data.numpy() for sample in data['data_samples']]).astype(np.float64)
    error = (truth - np.array([120.0, 50.0, 170.0])[None, :, None, None]) / np.array(STD[::-1])[None, :, None, None]
    losses = model.loss(**model.data_preprocessor(data, training=True))
    assert losses['decode.loss_mse'].item() == pytest.approx((error**2).mean(), rel=1e-5)
    total, _ = model.parse_losses(losses)
    assert total.item() == losses['decode.loss_mse'].item()
    for sample in model.eval().test_step(batch(INPAINT)):
        assert sample.seg_logits.data.shape == (3, *SIZE)
        assert [channel.unique().tolist() for channel in sample.seg_logits.data] == [[120.0], [50.0], [170.0]]


def test_grey_levels_are_clipped(head):
    meta = [{'img_shape': (1, 1), 'pad_shape': (1, 1)}]
    picture = head.predict_by_feat(torch.tensor([100.0, -100.0, 0.0])[None, :, None, None], meta)
    assert picture.flatten().tolist() == [100.0, 0.0, 255.0]
    half = head.predict_by_feat(torch.full((1, 3, 1, 1), 0.25, dtype=torch.float16), meta)
    assert half.dtype == torch.float32
    assert half.flatten().tolist() == [110.0, 125.0, 132.5]


def test_predictions_have_the_size_of_the_target(mmseg_scope):
    """30x45 is padded to 32x48 for the network; the padding is cut off again."""
    (first, second) = segmentor().eval().test_step(batch(DENOISE, size=(30, 45)))
    assert first.seg_logits.shape == second.gt_image.shape == (30, 45)


def test_sliding_window_gives_grey_levels(mmseg_scope):
    model = segmentor(mode='slide', stride=(16, 16), crop_size=(16, 24)).eval()
    torch.nn.init.zeros_(model.decode_head.conv_seg.weight)
    model.decode_head.conv_seg.bias.data = torch.tensor([1.0, -1.0, 0.5])
    (first, _) = model.test_step(batch(INPAINT))
    assert first.seg_logits.data.mean(dim=(1, 2)).tolist() == pytest.approx([120.0, 50.0, 170.0])


@pytest.mark.parametrize(('head', 'steps'), [({}, DENOISE), ({'region': 'erased'}, INPAINT)], ids=['all', 'erased'])
def test_steps_lower_the_loss_and_reach_every_parameter(mmseg_scope, head, steps):
    torch.manual_seed(0)
    model = segmentor(head).train()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), lr=2e-3))
    losses = [model.train_step(batch(steps), wrapper)['loss'].item() for _ in range(12)]
    assert losses[-1] < 0.7 * losses[0]
    assert [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])] == []


def test_targets_that_do_not_fit(head, mmseg_scope):
    with pytest.raises(ValueError, match=r'9\.png: gt_image has the shape \(3, 2, 2\), expected \(3, 8, 8\)'):
        head.loss_by_feat(torch.zeros(1, 3, 8, 8), targets((9, 0, 0)))
    with pytest.raises(ValueError, match=r'x\.png: no gt_image, expected mmssl\.InpaintingTarget or mmssl\.Denoising'):
        head.loss_by_feat(torch.zeros(1, 3, 8, 8), [SegDataSample(metainfo={'img_path': 'x.png'})])
    with pytest.raises(ValueError, match=r"9\.png: no gt_erased, .* 'gt_erased' among its pixel_keys"):
        ReconstructionHead(region='erased').loss_by_feat(torch.zeros(1, 3, 2, 2), targets((9, 0, 0)))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'region': 'hole'}, r"region='hole', expected one of \['all', 'erased'\]"),
        ({'mean': [0.0]}, r'mean=\[0.0\], .* expected three numbers each'),
        ({'std': [1.0, 0.0, 1.0]}, 'std above 0'),
        ({'widths': (64,)}, 'expected 2'),
    ],
)
def test_options_that_are_none(mmseg_scope, settings, message):
    with pytest.raises(ValueError, match=message):
        ReconstructionHead(**settings)


@pytest.mark.parametrize(
    'ignored', ['num_classes', 'out_channels', 'threshold', 'loss_decode', 'ignore_index', 'sampler']
)
def test_options_about_classes_are_refused(mmseg_scope, ignored):
    with pytest.raises(TypeError, match=ignored):
        ReconstructionHead(**{ignored: None})
