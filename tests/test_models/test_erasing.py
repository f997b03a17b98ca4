"""Erasing: rectangles and patches by number, what stays, black and noise, draws."""

import math

import pytest
import torch
from mmpretrain.models.utils import SelfSupDataPreprocessor

from mmssl.models.selfsup.erasing import BatchRandomErasing, BatchRandomPatchedErasing, normalised_black
from mmssl.models.selfsup.erasing_boxes import boxes_mask, draw_patches, draw_rectangles
from mmssl.registry import MODELS

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
BLACK = torch.tensor([-m / s for m, s in zip(MEAN, STD, strict=True)]).view(3, 1, 1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 4, height: int = 64, width: int = 80) -> torch.Tensor:
    return torch.randn(count, 3, height, width, generator=seeded(9))


def slow_rectangle(size, u, area, aspect):
    """Equations 3.3 and 3.4 for one point; None where it does not fit."""
    H, W = size
    erased = (area[0] + (area[1] - area[0]) * u[0]) * H * W
    ratio = aspect[0] + (aspect[1] - aspect[0]) * u[1]
    height, width = max(round(math.sqrt(erased * ratio)), 1), max(round(math.sqrt(erased / ratio)), 1)
    top, left = int(u[2] * H), int(u[3] * W)
    return [top, left, height, width] if top + height <= H and left + width <= W else None


def test_rectangles_equal_the_slow_loop():
    area, aspect = (0.02, 0.4), (0.3, 1 / 0.3)
    drawn = draw_rectangles(40, (48, 64), seeded(), area, aspect)[:, 0].tolist()
    u = torch.rand(4, 40, 16, generator=seeded(), dtype=torch.float64)
    matched = 0
    for i, box in enumerate(drawn):
        fitting = [slow_rectangle((48, 64), u[:, i, k].tolist(), area, aspect) for k in range(16)]
        first = next((one for one in fitting if one), None)
        if first:
            assert box == first
            matched += 1
    assert matched > 35


def test_area_and_aspect_over_a_thousand_draws():
    H = W = 224
    boxes = draw_rectangles(1000, (H, W), seeded())
    top, left, height, width = boxes[:, 0].T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= H).all()
    assert (left + width <= W).all()
    counted = boxes_mask(boxes, (H, W)).flatten(1).sum(dim=1)
    assert torch.equal(counted, height * width)
    # Rounding a side by half a pixel changes the area by half of the other side.
    slack = (height + width) / 2 / (H * W)
    share = counted / (H * W)
    assert (share >= 0.02 - slack).all()
    assert (share <= 0.4 + slack).all()
    aspect = height / width
    assert (aspect >= 0.3 * (1 - 1 / width - 1 / height)).all()
    assert (aspect <= 1 / 0.3 * (1 + 1 / width + 1 / height)).all()
    assert share.min() < 0.025
    assert share.max() > 0.33
    assert aspect.min() < 0.4
    assert aspect.max() > 3.2


def test_rectangles_follow_the_law_of_rejection():
    """Mean share by integrating: what is kept has a density in proportion to (1 - h)(1 - w)."""
    share = torch.linspace(0.02, 0.4, 400)[:, None]
    ratio = torch.linspace(0.3, 1 / 0.3, 400)
    kept = (1 - (share * ratio).sqrt()).clamp(min=0) * (1 - (share / ratio).sqrt()).clamp(min=0)
    expected, aspect = (share * kept).sum() / kept.sum(), (ratio * kept).sum() / kept.sum()
    height, width = draw_rectangles(20000, (1000, 1000), seeded(1))[:, 0, 2:].T.double()
    assert (height * width / 1e6).mean() == pytest.approx(float(expected), abs=0.003)  # the deviation is 0.0007
    assert (height / width).mean() == pytest.approx(float(aspect), abs=0.02)


def test_patches_are_fifty_inside_the_image():
    boxes = draw_patches(200, (64, 80), seeded())
    assert boxes.shape == (200, 50, 4)
    assert (boxes[..., 2:] == 10).all()
    assert sorted(boxes[..., 0].unique().tolist()) == list(range(55))  # 0 to 64 - 10
    assert sorted(boxes[..., 1].unique().tolist()) == list(range(71))
    # At 224x224 "about 10%" of the image (section 4.3.1); overlaps take a little of 50 * 100 / 224^2 = 0.0996.
    share = boxes_mask(draw_patches(100, (224, 224), seeded()), (224, 224)).float().mean()
    assert 0.09 < share < 0.0996


def test_mask_equals_the_slow_loop():
    boxes = draw_patches(3, (16, 20), seeded(), patches=6, side=4)
    boxes[1, 2:] = 0
    mask = boxes_mask(boxes, (16, 20))
    for b in range(3):
        for y in range(16):
            for x in range(20):
                inside = any(t <= y < t + h and le <= x < le + w for t, le, h, w in boxes[b].tolist())
                assert bool(mask[b, y, x]) == inside
    assert mask[1].sum() <= 32
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(boxes_mask(boxes, (16, 20)), mask)


@pytest.mark.parametrize('fill', ['black', 'gaussian'])
@pytest.mark.parametrize('kind', [BatchRandomErasing, BatchRandomPatchedErasing])
def test_what_is_outside_stays_and_the_targets_view_too(kind, fill):
    erasing, views = kind(fill=fill), images()
    target = views.clone()
    mask = boxes_mask(erasing.draw(4, (64, 80), seeded()), (64, 80))
    assert mask.flatten(1).any(dim=1).all()
    erased = erasing(views, BLACK, seeded())
    assert torch.equal(views, target)
    assert torch.equal((erased != views).any(dim=1), mask)
    outside = ~mask[:, None].expand_as(views)
    assert torch.equal(erased[outside], views[outside])


def test_black_is_black_after_normalisation():
    """Bit for bit what the preprocessor makes of black pixels, in RGB."""
    preprocessor = SelfSupDataPreprocessor(mean=MEAN, std=STD, to_rgb=True)
    dark = [torch.zeros(4, 3, 64, 80, dtype=torch.uint8)]
    dark = preprocessor({'inputs': dark, 'data_samples': None})['inputs'][0]
    black = normalised_black(preprocessor)
    assert black.flatten().tolist() == pytest.approx([-2.1179, -2.0357, -1.8044], abs=1e-4)
    erasing = BatchRandomErasing()
    mask = boxes_mask(erasing.draw(4, (64, 80), seeded()), (64, 80))[:, None]
    assert torch.equal(erasing(images(), black, seeded()) * mask, dark * mask)
    assert normalised_black(SelfSupDataPreprocessor()) == 0.0
    assert (BatchRandomErasing()(images(), 0.0, seeded()) * mask == 0).all()


def test_gaussian_statistics():
    erasing = BatchRandomErasing(fill='gaussian', area=(0.3, 0.3), aspect=(1, 1))
    views = torch.full((64, 3, 100, 100), 50.0)
    erased = erasing(views, BLACK, seeded(2))
    noise = erased[(erased != 50).all(dim=1, keepdim=True).expand_as(erased)].view(-1)
    assert len(noise) == 64 * 3 * 55 * 55  # 54.77 rounded
    assert abs(noise.mean()) < 0.006  # 1 / sqrt(580,800) = 0.0013
    assert abs(noise.std() - 1) < 0.005
    assert ((noise - noise.mean()) ** 4).mean() == pytest.approx(3, abs=0.05)
    mask = erased[:, 0] != 50
    channels = torch.stack([erased[:, c][mask] for c in range(3)])
    assert (torch.corrcoef(channels) - torch.eye(3)).abs().max() < 0.01  # of its own in each channel


@pytest.mark.parametrize('kind', [BatchRandomErasing, BatchRandomPatchedErasing])
def test_probability_is_that_of_an_image(kind):
    views = images(400, 16, 16)
    options = {} if kind is BatchRandomErasing else {'side': 4}
    changed = (kind(prob=0.5, **options)(views, 99.0, seeded()) != views).flatten(1).any(dim=1)
    assert 160 < changed.sum() < 240
    assert torch.equal(kind(prob=0.0, **options)(views, 99.0, seeded()), views)
    assert (kind(**options)(views, 99.0, seeded()) != views).flatten(1).any(dim=1).all()


@pytest.mark.parametrize('fill', ['black', 'gaussian'])
@pytest.mark.parametrize('kind', [BatchRandomErasing, BatchRandomPatchedErasing])
def test_same_state_same_result_and_the_global_generator(kind, fill):
    erasing, views = kind(fill=fill), images()
    generator = seeded(4)
    first, second = erasing(views, BLACK, generator), erasing(views, BLACK, generator)
    assert not torch.equal(first, second)
    assert torch.equal(erasing(views, BLACK, seeded(4)), first)
    torch.manual_seed(4)
    assert torch.equal(erasing(views, BLACK), first)


def test_type_and_memory_format_stay():
    views = images().to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
    for fill in ('black', 'gaussian'):
        erased = BatchRandomErasing(fill=fill)(views, BLACK, seeded())
        assert erased.dtype == torch.bfloat16
        assert erased.is_contiguous(memory_format=torch.channels_last)


def test_nothing_is_read_back_from_the_device():
    assert BatchRandomErasing()(images().to('meta'), BLACK.to('meta')).shape == (4, 3, 64, 80)
    assert BatchRandomPatchedErasing()(images().to('meta'), 0.0).shape == (4, 3, 64, 80)


@pytest.mark.parametrize(
    ('kind', 'options', 'line'),
    [
        (BatchRandomErasing, {'area': (0.4, 0.02)}, r'area is \(0.4, 0.02\)'),
        (BatchRandomErasing, {'area': (0, 0.4)}, r'area is \(0, 0.4\)'),
        (BatchRandomErasing, {'area': (0.1, 1)}, r'area is \(0.1, 1\)'),
        (BatchRandomErasing, {'aspect': (3, 0.3)}, r'aspect is \(3, 0.3\)'),
        (BatchRandomErasing, {'aspect': (1, 2, 3)}, r'aspect is \(1, 2, 3\)'),
        (BatchRandomErasing, {'fill': 'white'}, "fill is 'white'"),
        (BatchRandomErasing, {'prob': 1.5}, 'prob is 1.5'),
        (BatchRandomPatchedErasing, {'patches': 0}, 'patches is 0'),
        (BatchRandomPatchedErasing, {'side': 2.5}, 'side is 2.5'),
        (BatchRandomPatchedErasing, {'fill': None}, 'fill is None'),
    ],
)
def test_bad_options(kind, options, line):
    with pytest.raises(ValueError, match=f'^{kind.__name__}: {line}, expected'):
        kind(**options)


def test_what_does_not_fit_is_named():
    line = r'no rectangle of area \(0.9, 0.9\) and aspect \(3, 3\) fits images of 32x32, expected'
    with pytest.raises(ValueError, match=line):
        BatchRandomErasing(area=(0.9, 0.9), aspect=(3, 3))(images(1, 32, 32), 0.0)
    with pytest.raises(ValueError, match='patches to erase have a side of 10, images 8x32: expected a smaller side'):
        BatchRandomPatchedErasing()(images(1, 8, 32), 0.0)


def test_builds_inside_mmseg(mmseg_scope):
    erasing = MODELS.build({'type': 'mmssl.BatchRandomErasing', 'prob': 0.5})
    assert repr(erasing) == (
        "BatchRandomErasing(area=(0.02, 0.4), aspect=(0.3, 3.3333333333333335), fill='black', prob=0.5)"
    )
    assert MODELS.build({'type': 'mmssl.BatchRandomPatchedErasing'}).patches == 50
