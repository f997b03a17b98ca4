"""ERFNet that classifies colours: cross entropy by hand and against full size, pooled scores, predictions, steps."""

import math

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmssl.datasets.transforms.pretext.colorization import split_lab
from mmssl.evaluation.colorization_error import ColorizationError
from mmssl.models.decode_heads.erfnet_head import ERFNetDecodeHead
from mmssl.models.decode_heads.quantized_colorization_head import QuantizedColorizationHead, cell_cross_entropy
from mmssl.registry import MODELS, TRANSFORMS

SIZE = (32, 48)
BINS = 261
COLOUR = [{'type': 'mmssl.ColorizationTarget'}, {'type': 'mmssl.PackPretextInputs'}]


def segmentor(head: dict | None = None, **test_cfg) -> torch.nn.Module:
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
                'decode_head': {'type': 'mmssl.QuantizedColorizationHead', **(head or {})},
                'train_cfg': {},
                'test_cfg': {'mode': 'whole', **test_cfg},
            }
        )
    )


def batch(size=SIZE, number=2) -> dict:
    """What a loader gives: smooth random pictures through a pipeline."""
    pipeline = Compose([TRANSFORMS.build(step) for step in COLOUR])
    generator = np.random.default_rng(0)
    samples = []
    for index in range(number):
        coarse = generator.integers(0, 256, (4, 6, 3), dtype=np.uint8)
        samples.append(pipeline({'img': cv2.resize(coarse, size[::-1]), 'img_path': f'{index}.png'}))
    return pseudo_collate(samples)


def predict_always(model, colour: tuple[float, float]) -> None:
    """Let the last layer say one bin whatever the encoder does."""
    head = model.decode_head
    (index,) = (head.centres == torch.tensor(colour)).all(dim=1).nonzero()[0].tolist()
    torch.nn.init.zeros_(head.conv_seg.weight)
    with torch.no_grad():
        head.conv_seg.bias.zero_()[index] = 100


@pytest.fixture
def head(mmseg_scope):
    return QuantizedColorizationHead()


def test_layers_are_the_decoders(head):
    """Names and shapes as ERFNetDecodeHead's, 261 outputs, no parameter or buffer more."""
    theirs = ERFNetDecodeHead(num_classes=19).state_dict()
    ours = head.state_dict()
    assert set(ours) == set(theirs)
    different = {name for name in ours if ours[name].shape != theirs[name].shape}
    assert different == {'conv_seg.weight', 'conv_seg.bias'}
    assert ours['conv_seg.weight'].shape == (16, BINS, 2, 2)
    assert sum(parameter.numel() for parameter in head.parameters()) == 190_147 + (BINS - 19) * (16 * 4 + 1)


@pytest.mark.parametrize('stride', [1, 2, 4, 8])
@pytest.mark.parametrize('ratio', [0, 0.5])
def test_scores_of_cells_are_the_means_of_their_pixels(mmseg_scope, stride, ratio):
    """Against the scores at full size, with kernels that differ from position to position."""
    torch.manual_seed(0)
    full = ERFNetDecodeHead(num_classes=BINS, dropout_ratio=ratio)
    torch.nn.init.normal_(full.conv_seg.weight)
    head = QuantizedColorizationHead(target_stride=stride, dropout_ratio=ratio)
    head.load_state_dict(full.state_dict())
    features = [torch.randn(2, 128, 4, 6)]
    if ratio:
        # Which channels are dropped, the generator says.
        torch.manual_seed(1)
        scores = full.cls_seg(features[0][:, :16])
        torch.manual_seed(1)
        assert torch.allclose(
            head.cls_seg(features[0][:, :16, :, :4]), F.avg_pool2d(scores[..., :8], stride), atol=1e-4
        )
        return
    expected = F.avg_pool2d(full.eval()(features), stride)
    assert expected.shape == (2, BINS, 32 // stride, 48 // stride)
    assert torch.allclose(head.eval()(features), expected, atol=1e-4)


def test_cross_entropy_by_hand():
    """One cell of 2x2 pixels, probabilities 1/2, 1/4, 1/4 and bins 0, 0, 1, 2: the mean of log 2, 2, 4, 4."""
    logits = torch.log(torch.tensor([0.5, 0.25, 0.25]))[None, :, None, None] + 3
    bins = torch.tensor([[[0, 0], [1, 2]]])
    assert cell_cross_entropy(logits, bins).item() == pytest.approx(1.5 * math.log(2), rel=1e-6)


@pytest.mark.parametrize('stride', [1, 2, 4])
def test_cross_entropy_against_full_size(stride):
    """Equal to scores enlarged by nearest neighbours, with the gradient."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 7, 3, 5, generator=generator, dtype=torch.float32, requires_grad=True)
    bins = torch.randint(0, 7, (2, 3 * stride, 5 * stride), generator=generator)
    large = logits.repeat_interleave(stride, 2).repeat_interleave(stride, 3)
    expected = F.cross_entropy(large, bins)
    loss = cell_cross_entropy(logits, bins)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    (slow,) = torch.autograd.grad(expected, logits)
    (fast,) = torch.autograd.grad(loss, logits)
    assert torch.allclose(slow, fast, atol=1e-7)


def test_loss_by_hand(head):
    """Uniform scores: log 261. Scores that double the odds of one bin, the target of a quarter of the pixels."""
    ab = torch.zeros(2, 8, 8, dtype=torch.int8)
    ab[0, :4, :4] = 21  # (20, 0), the rest (0, 0)
    samples = [SegDataSample(metainfo={'img_path': 'a.png'}, gt_ab=PixelData(data=ab))]
    losses = head.loss_by_feat(torch.zeros(1, BINS, 2, 2), samples)
    assert losses['loss_ce'].item() == pytest.approx(math.log(261), rel=1e-6)
    scores = torch.zeros(1, BINS, 2, 2)
    (red,) = (head.centres == torch.tensor([20.0, 0.0])).all(dim=1).nonzero()[0].tolist()
    scores[0, red] = math.log(2)
    losses = head.loss_by_feat(scores, samples)
    assert losses['loss_ce'].item() == pytest.approx(math.log(262) - math.log(2) / 4, rel=1e-6)
    assert losses['acc_bin'].item() == 25
    assert not losses['acc_bin'].requires_grad


def test_a_constant_prediction_through_the_model(mmseg_scope):
    model = segmentor()
    predict_always(model, (20.0, -30.0))
    for sample in model.eval().test_step(batch()):
        assert sample.seg_logits.data.shape == (2, *SIZE)
        assert sample.seg_logits.data.mean(dim=(1, 2)).tolist() == pytest.approx([20.0, -30.0])
    model.decode_head.conv_seg.bias.data.zero_()
    for sample in model.test_step(batch()):
        assert torch.allclose(sample.seg_logits.data.mean(dim=(1, 2)), model.decode_head.centres.mean(dim=0), atol=1e-3)


def test_sizes_and_sliding_windows(mmseg_scope):
    """30x45 is padded to 32x48 and cut again; windows have two channels to sum up, not 261."""
    (first, second) = segmentor().eval().test_step(batch(size=(30, 45)))
    assert first.seg_logits.shape == second.gt_ab.shape == (30, 45)
    model = segmentor(mode='slide', stride=(16, 16), crop_size=(16, 24)).eval()
    predict_always(model, (20.0, -30.0))
    (first, _) = model.test_step(batch())
    assert first.seg_logits.data.shape == (2, *SIZE)
    assert first.seg_logits.data.mean(dim=(1, 2)).tolist() == pytest.approx([20.0, -30.0])


def test_right_bins_give_a_photograph_back(head, camvid_root):
    """Certain of the right bin of every cell of 1x1, a street is off by what bins of side 10 lose."""
    head = QuantizedColorizationHead(target_stride=1)
    image = cv2.imread(str(sorted((camvid_root / 'val').glob('*.png'))[0]))[:64, :96]
    ab = torch.from_numpy(split_lab(image)[1])
    bins = torch.cdist(ab.flatten(1).T.double(), head.centres.double()).argmin(dim=1).view(1, 64, 96)
    scores = 100.0 * F.one_hot(bins, BINS).permute(0, 3, 1, 2)
    sample = SegDataSample(metainfo={'img_path': 'a.png'}, gt_ab=PixelData(data=ab))
    losses = head.loss_by_feat(scores, [sample])
    assert losses['loss_ce'].item() < 1e-6
    assert losses['acc_bin'].item() == 100
    predicted = head.predict_by_feat(scores, [{'img_shape': (64, 96), 'pad_shape': (64, 96)}])
    metric = ColorizationError()
    metric.process({}, [{'seg_logits': {'data': predicted[0]}, 'gt_ab': {'data': ab}}])
    values = metric.evaluate(1)
    off = torch.ceil(ab / 10 - 0.5) * 10 - ab
    assert values['RMSE_ab'] == pytest.approx(off.square().mean().sqrt().item(), abs=1e-3)
    assert 0 < values['RMSE_ab'] < 5


@pytest.mark.parametrize('stride', [1, 4])
def test_steps_lower_the_loss_and_reach_every_parameter(mmseg_scope, stride):
    torch.manual_seed(0)
    model = segmentor({'target_stride': stride}).train()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), lr=5e-3))
    losses = [model.train_step(batch(), wrapper)['loss'].item() for _ in range(12)]
    assert losses[0] == pytest.approx(math.log(261), rel=0.1)
    assert losses[-1] < 0.9 * losses[0]
    moved = model.decode_head.conv_seg.weight - before['decode_head.conv_seg.weight']
    assert (moved.abs().amax(dim=(0, 1)) > 0).all()  # every position of the kernel
    assert [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])] == []


def test_half_precision_losses_are_computed_in_float32(head):
    """Scores of 20 beside 0: the probability of the others is below the smallest of float16."""
    scores = torch.zeros(1, BINS, 1, 1, dtype=torch.float16)
    scores[0, 0] = 20
    loss = cell_cross_entropy(scores, torch.full((1, 4, 4), 5))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(math.exp(20) + 260), rel=1e-6)


def test_targets_of_another_size_are_told(head):
    sample = SegDataSample(metainfo={'img_path': 'a.png'}, gt_ab=PixelData(data=torch.zeros(2, 2, 2, dtype=torch.int8)))
    with pytest.raises(ValueError, match=r'a\.png: gt_ab has the shape \(2, 2, 2\), expected \(2, 8, 8\)'):
        head.loss_by_feat(torch.zeros(1, BINS, 2, 2), [sample])
    with pytest.raises(ValueError, match=r'x\.png: no gt_ab, expected mmssl\.ColorizationTarget'):
        head.loss_by_feat(torch.zeros(1, BINS, 2, 2), [SegDataSample(metainfo={'img_path': 'x.png'})])


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'target_stride': 3}, r'target_stride=3, expected one of \(1, 2, 4, 8\)'),
        ({'bin_side': 0}, 'bin_side=0, temperature=0.38, expected numbers above 0'),
        ({'temperature': float('nan')}, 'bin_side=10.0, temperature=nan, expected numbers above 0'),
    ],
)
def test_options_that_are_none(mmseg_scope, settings, message):
    with pytest.raises(ValueError, match='QuantizedColorizationHead: ' + message):
        QuantizedColorizationHead(**settings)


@pytest.mark.parametrize(
    'ignored', ['num_classes', 'out_channels', 'threshold', 'loss_decode', 'ignore_index', 'sampler']
)
def test_options_about_classes_are_refused(mmseg_scope, ignored):
    with pytest.raises(TypeError, match=ignored):
        QuantizedColorizationHead(**{ignored: None})
