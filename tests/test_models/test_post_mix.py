import colorsys
from contextlib import nullcontext

import pytest
import torch
from torchvision.transforms.v2 import functional

from mmssl.models.mixing.batch_blur import BatchGaussianBlur
from mmssl.models.mixing.color_jitter import BatchColorJitter
from mmssl.models.mixing.gaussian import gaussian_blur, gaussian_weights, tenth_of
from mmssl.models.mixing.hue import adjust_hue
from mmssl.registry import MODELS

TORCHVISION = {
    'brightness': functional.adjust_brightness,
    'contrast': functional.adjust_contrast,
    'saturation': functional.adjust_saturation,
    'hue': functional.adjust_hue,
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    images = torch.rand(4, 3, 40, 62, generator=seeded())
    images[1] = images[1, :1]  # grey
    images[2, 1] = images[2, 0]  # two equal channels
    images[3] = (images[3] * 3).round() / 3  # ties of all kinds, black and white
    return images


# Blur


def test_tenth_of_the_side():
    # The released code has 51 for 512; ceil(0.1 * 1024) = 103; even tenths become one less.
    assert [tenth_of(side) for side in (512, 1024, 120, 160, 60, 65, 10, 4)] == [51, 103, 11, 15, 5, 7, 1, 1]


def test_weights_by_hand():
    weights = gaussian_weights(torch.tensor([1.0, 0.0], dtype=torch.float64), 1)
    side = 0.6065306597  # exp(-1/2)
    total = 1 + 2 * side
    assert weights[0].tolist() == pytest.approx([side / total, 1 / total, side / total], rel=1e-9)
    assert weights[1].tolist() == [0, 1, 0]


@pytest.mark.parametrize('sigma', [0.15, 0.6, 1.15, 3.0])
def test_blur_equals_the_whole_kernel_of_torchvision(images, sigma):
    whole = functional.gaussian_blur(images, [7, 3], [sigma, sigma])  # (x, y); a tenth of 62 and of 40
    assert float((gaussian_blur(images, sigma) - whole).abs().max()) < 1e-6
    tall = torch.rand(1, 3, 512, 96, generator=seeded())
    whole = functional.gaussian_blur(tall, [9, 51], [sigma, sigma])
    assert float((gaussian_blur(tall, sigma) - whole).abs().max()) < 1e-5
    assert float((gaussian_blur(tall, sigma, (51, 9)) - whole).abs().max()) < 1e-5
    whole = functional.gaussian_blur(tall, [21, 21], [sigma, sigma])
    assert float((gaussian_blur(tall, sigma, 21) - whole).abs().max()) < 1e-5


def test_each_image_its_own_sigma(images):
    sigmas = [0.3, 1.1, 0.0, 0.7]
    blurred = gaussian_blur(images, sigmas)
    assert torch.equal(blurred[2], images[2])
    for i in (0, 1, 3):
        alone = functional.gaussian_blur(images[i], [7, 3], [sigmas[i]] * 2)
        assert float((blurred[i] - alone).abs().max()) < 1e-6
        assert float((blurred[i] - images[i]).abs().max()) > 1e-3
    assert torch.equal(gaussian_blur(images, torch.tensor(sigmas, dtype=torch.float64)), blurred)


def test_blur_keeps_memory_format_type_and_range(images):
    last = images.contiguous(memory_format=torch.channels_last)
    blurred = gaussian_blur(last, 1.0)
    assert blurred.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(blurred, gaussian_blur(images, 1.0))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(gaussian_blur(images, 1.0), blurred)
    white = BatchGaussianBlur(prob=1.0)(torch.ones(2, 3, 30, 30), seeded())
    assert float(white.max()) <= 1
    assert float(white.min()) == pytest.approx(1, abs=1e-6)


def test_wrong_blurs_are_named(images):
    for sigma in (-1.0, [1.0, 2.0]):
        with pytest.raises(ValueError, match='expected 1 or 4 numbers from 0 up, on the CPU'):
            gaussian_blur(images, sigma)
    with pytest.raises(ValueError, match='kernel_size is 4x4 for images of 40x62, expected odd sizes that fit'):
        gaussian_blur(images, 1.0, 4)
    with pytest.raises(ValueError, match='kernel_size is 99x99 for images of 40x62'):
        gaussian_blur(images, 9.0, 99)
    with pytest.raises(ValueError, match=r'sigma is \(1, 0.5\), expected two rising numbers above 0'):
        BatchGaussianBlur(sigma=(1, 0.5))
    with pytest.raises(ValueError, match='prob is 2, expected 0 to 1'):
        BatchGaussianBlur(prob=2)
    with pytest.raises(ValueError, match="per is 'pixel', expected 'batch' or 'image'"):
        BatchGaussianBlur(per='pixel')


def test_sigmas_are_uniform_and_half_are_none():
    sigma = BatchGaussianBlur(per='image').draw(10000, seeded())
    drawn = sigma[sigma > 0]
    assert len(drawn) / 10000 == pytest.approx(0.5, abs=0.02)
    assert 0.15 <= float(drawn.min()) < 0.16
    assert 1.14 < float(drawn.max()) <= 1.15
    assert float(drawn.mean()) == pytest.approx(0.65, abs=0.015)
    assert float(drawn.std()) == pytest.approx(1 / 12**0.5, abs=0.01)


def test_blur_per_batch_and_per_image(images):
    kinds = {'batch': set(), 'image': set()}
    for per, seen in kinds.items():
        for seed in range(20):
            blurred = BatchGaussianBlur(per=per)(images, seeded(seed))
            seen.add(tuple(not torch.equal(new, old) for new, old in zip(blurred, images, strict=True)))
            assert torch.equal(blurred, BatchGaussianBlur(per=per)(images, seeded(seed)))
    assert kinds['batch'] == {(True,) * 4, (False,) * 4}
    assert len(kinds['image']) > 6  # of 16
    for seed in range(5):  # one sigma for the batch
        module = BatchGaussianBlur(prob=1.0)
        (sigma,) = module.draw(1, seeded(seed)).tolist()
        assert float((module(images, seeded(seed)) - gaussian_blur(images, sigma)).abs().max()) < 1e-6
    assert BatchGaussianBlur(prob=0.0)(images, seeded()) is images


# Colour jitter


@pytest.mark.parametrize('shift', [-0.5, -0.31, -0.001, 0.0, 0.08, 1 / 3, 0.5])
def test_hue_equals_torchvision(images, shift):
    assert float((adjust_hue(images, shift) - functional.adjust_hue(images, shift)).abs().max()) < 1e-5


def test_hue_by_hand_and_by_colorsys():
    pixels = torch.tensor([[1.0, 0.0, 0.0], [0.2, 0.8, 0.5], [0.3, 0.3, 0.3], [0.1, 0.7, 0.9], [0.9, 0.4, 0.4]])
    columns = pixels.T[None, :, None]
    assert adjust_hue(columns, 1 / 3)[0, :, 0, 0].tolist() == pytest.approx([0, 1, 0], abs=1e-6)  # red to green
    assert adjust_hue(columns, -1 / 6)[0, :, 0, 0].tolist() == pytest.approx([1, 0, 1], abs=1e-6)  # to magenta
    for shift in (-0.4, 0.05, 0.27):
        got = adjust_hue(columns, shift)[0, :, 0].T
        for pixel, turned in zip(pixels.tolist(), got.tolist(), strict=True):
            h, s, v = colorsys.rgb_to_hsv(*pixel)
            assert turned == pytest.approx(colorsys.hsv_to_rgb((h + shift) % 1, s, v), abs=1e-6)


def by_torchvision(image, changes):
    for name, amount in changes:
        image = TORCHVISION[name](image, amount)
    return image


def test_jitter_per_batch_equals_torchvision_image_by_image(images):
    module = BatchColorJitter(prob=1.0)
    for seed in range(8):
        changes = module.draw(seeded(seed))
        assert {name for name, _ in changes} == set(TORCHVISION)
        jittered = module(images, seeded(seed))
        for image, got in zip(images, jittered, strict=True):
            assert float((got - by_torchvision(image, changes)).abs().max()) < 2e-5
        assert float(jittered.min()) >= 0 and float(jittered.max()) <= 1
        assert float((jittered - images).abs().mean()) > 0.01


def test_jitter_per_image_equals_torchvision_image_by_image(images):
    module = BatchColorJitter(prob=0.5, per='image')
    some = 0
    for seed in range(8):
        generator = seeded(seed)
        changes = [module.draw(generator) for _ in images]
        jittered = module(images, seeded(seed))
        some += 0 < sum(map(bool, changes)) < 4
        for image, got, change in zip(images, jittered, changes, strict=True):
            assert float((got - by_torchvision(image, change)).abs().max()) < 2e-5
        assert len({str(change) for change in changes if change}) == sum(map(bool, changes))
    assert some >= 4  # 7 of 8 expected


def test_amounts_orders_and_decisions():
    module = BatchColorJitter(brightness=0.25, contrast=(0.5, 0.6), saturation=2.0, hue=0.1, prob=0.8)
    generator = seeded()
    draws = [module.draw(generator) for _ in range(4800)]
    drawn = [dict(changes) for changes in draws if changes]
    assert len(drawn) / 4800 == pytest.approx(0.8, abs=0.02)
    ranges = {'brightness': (0.75, 1.25), 'contrast': (0.5, 0.6), 'saturation': (0.0, 3.0), 'hue': (-0.1, 0.1)}
    for name, (low, high) in ranges.items():
        amounts = torch.tensor([amounts[name] for amounts in drawn])
        assert low <= float(amounts.min()) < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < float(amounts.max()) <= high
        assert float(amounts.mean()) == pytest.approx((low + high) / 2, abs=0.02 * (high - low))
    orders = [tuple(name for name, _ in changes) for changes in draws if changes]
    counts = [orders.count(order) for order in set(orders)]
    expected = len(orders) / 24
    assert len(counts) == 24
    assert sum((count - expected) ** 2 / expected for count in counts) < 49.7  # chi square, 23 degrees: p = 0.001


def test_amounts_of_zero_and_no_jitter(images):
    module = BatchColorJitter(brightness=0, contrast=0, saturation=0, hue=0.1, prob=1.0)
    ((name, _),) = module.draw(seeded())
    assert name == 'hue'
    for per in ('batch', 'image'):
        assert BatchColorJitter(prob=0.0, per=per)(images, seeded()) is images
        assert BatchColorJitter(brightness=0, contrast=0, saturation=0, hue=0, prob=1.0, per=per)(images) is images


def test_jitter_leaves_its_input_and_keeps_the_memory_format(images):
    last = images.contiguous(memory_format=torch.channels_last)
    before = last.clone()
    for per in ('batch', 'image'):
        jittered = BatchColorJitter(prob=1.0, per=per)(last, seeded())
        assert jittered.is_contiguous(memory_format=torch.channels_last)
        assert torch.allclose(jittered, BatchColorJitter(prob=1.0, per=per)(images, seeded()), atol=1e-6)
    assert torch.equal(last, before)


def test_nothing_is_read_back_from_the_device(images, monkeypatch):
    monkeypatch.setattr(torch, 'autocast', lambda *args, **options: nullcontext())  # knows no meta tensors
    # A meta tensor has no values: whoever reads one raises.
    for per in ('batch', 'image'):
        assert BatchColorJitter(prob=1.0, per=per)(images.to('meta'), seeded()).shape == images.shape
        assert BatchGaussianBlur(prob=1.0, per=per)(images.to('meta'), seeded()).shape == images.shape


@pytest.mark.parametrize(
    'options, line',
    [
        ({'hue': 0.7}, r'hue values should be between \(-0.5, 0.5\)'),
        ({'brightness': -1}, 'brightness is a single number, it must be non negative'),
        ({'contrast': (2, 1)}, 'contrast values should be between'),
        ({'prob': 1.2}, 'prob is 1.2, expected 0 to 1'),
        ({'per': 'pixel'}, "per is 'pixel', expected 'batch' or 'image'"),
    ],
)
def test_wrong_jitters_are_named(options, line):
    with pytest.raises(ValueError, match=line):
        BatchColorJitter(**options)


def test_builds_inside_mmseg(mmseg_scope):
    jitter = MODELS.build({'type': 'mmssl.BatchColorJitter', 'prob': 0.8})
    blur = MODELS.build({'type': 'mmssl.BatchGaussianBlur', 'per': 'image'})
    assert jitter.prob == 0.8
    assert "sigma=(0.15, 1.15), prob=0.5, per='image'" in repr(blur)
    assert not jitter.state_dict() and not blur.state_dict()
