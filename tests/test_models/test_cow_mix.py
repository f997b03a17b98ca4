import math

import numpy as np
import pytest
import torch

from mmssl.models.mixing import cow_mix
from mmssl.models.mixing.cow_mix import CowMix, cow_mask
from mmssl.models.mixing.gaussian import smooth_field


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def slow_smooth(noise, sigma):
    """Convolution, term by term, of a field that repeats itself beyond its borders."""
    radius = math.ceil(8 * sigma)
    offsets = range(-radius, radius + 1)
    weights = np.array([math.exp(-(d**2) / (2 * sigma**2)) for d in offsets])
    weights /= weights.sum()
    for axis in (0, 1):
        noise = sum(weight * np.roll(noise, d, axis) for weight, d in zip(weights, offsets, strict=True))
    return noise


@pytest.mark.parametrize('shape', [(24, 32), (21, 35)])
def test_field_equals_the_slow_convolution(shape):
    noise = torch.randn(3, *shape, generator=seeded())
    sigma = torch.tensor([1.0, 2.5, 8.0])
    smooth = smooth_field(noise, sigma)
    for got, field, s in zip(smooth, noise.double().numpy(), sigma.tolist(), strict=True):
        expected = slow_smooth(field, s)
        expected -= expected.mean()
        assert np.abs(got.numpy() - expected).max() < 2e-6


def test_what_smoothing_leaves_of_white_noise():
    noise = torch.randn(40, 128, 128, generator=seeded())
    for sigma in (2.0, 5.0):
        # The sum of the squared weights: 1 / (4 pi sigma^2).
        variance = float(smooth_field(noise, torch.full((40,), sigma)).square().mean())
        assert variance == pytest.approx(1 / (4 * math.pi * sigma**2), rel=0.05)


def test_mask_equals_the_slow_reference(monkeypatch):
    seen = []
    monkeypatch.setattr(cow_mix, 'smooth_field', lambda *args: seen.append(args) or smooth_field(*args))
    mask = cow_mask((4, 32, 40), seeded(1), (1.5, 4.0), 0.3)
    (noise, sigma) = seen[0]
    for got, field, s in zip(mask.numpy(), noise.double().numpy(), sigma.tolist(), strict=True):
        smooth = slow_smooth(field, s)
        # sqrt(2) * erfinv(2 * 0.3 - 1) = -0.524401 (table of the normal distribution)
        threshold = smooth.mean() - 0.524401 * smooth.std()
        certain = np.abs(smooth - threshold) > 1e-5
        assert certain.mean() > 0.999
        assert np.array_equal(got[certain], (smooth <= threshold)[certain])


@pytest.mark.parametrize('proportion', [0.5, 0.2, 0.9])
def test_expected_share(proportion):
    shares = cow_mask((200, 96, 96), seeded(), (2.0, 4.0), proportion).float().mean(dim=(1, 2))
    assert float(shares.mean()) == pytest.approx(proportion, abs=0.005)
    assert float(shares.std()) > 0.005  # of one mask it is not exact


@pytest.mark.parametrize('sigma', [2.0, 4.0, 8.0])
def test_spots_grow_with_sigma(sigma):
    mask = cow_mask((60, 128, 128), seeded(), (sigma, sigma))
    # Neighbours of the smoothed noise correlate by exp(-1 / (4 sigma^2)); two normal values of correlation r differ in
    # sign with probability arccos(r) / pi.
    expected = math.acos(math.exp(-1 / (4 * sigma**2))) / math.pi
    for axis in (1, 2):
        changes = float((mask != mask.roll(1, axis)).float().mean())
        assert changes == pytest.approx(expected, rel=0.03)


def test_sigma_is_drawn_log_uniformly_for_each_image(monkeypatch):
    drawn = []
    monkeypatch.setattr(cow_mix, 'smooth_field', lambda noise, sigma: drawn.append(sigma) or noise)
    cow_mask((4000, 2, 2), seeded(), (8.0, 32.0))
    places = (torch.log(drawn[0] / 8) / math.log(4)).sort().values
    uniform = (torch.arange(4000) + 0.5) / 4000
    assert float((places - uniform).abs().max()) < 1.95 / math.sqrt(4000)  # Kolmogorov-Smirnov: p = 0.001


def test_ignored_pixels_are_never_pasted():
    labels = torch.randint(0, 3, (8, 64, 64), generator=seeded())
    labels[:, 20:40] = 255
    mask = CowMix().draw(labels, seeded(1))
    assert not mask[:, 20:40].any()
    kept = labels != 255
    assert torch.equal(mask[kept], cow_mask((8, 64, 64), seeded(1))[kept])
    assert 0.3 < float(mask[kept].float().mean()) < 0.7


def test_drawn_for_each_image_and_reproducible():
    first = cow_mask((8, 64, 64), seeded(3))
    # Chance agrees in half of the pixels; spots of sigma 8 to 32 on 64 pixels let it vary.
    for i in range(8):
        for j in range(i):
            assert 0.02 < float((first[i] == first[j]).float().mean()) < 0.98
    generator = seeded(3)
    assert torch.equal(first, cow_mask((8, 64, 64), generator))
    assert not torch.equal(first, cow_mask((8, 64, 64), generator))
    torch.manual_seed(3)
    assert torch.equal(first, cow_mask((8, 64, 64)))


def test_image_smaller_than_the_spots():
    shares = cow_mask((300, 20, 20), seeded(), (32.0, 32.0)).float().mean(dim=(1, 2))
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(shares.min()) > 0.2 and float(shares.max()) < 0.8


@pytest.mark.parametrize('options', [{'sigma': (32, 8)}, {'sigma': (0, 8)}, {'sigma': (8,)}])
def test_wrong_sigma(options):
    with pytest.raises(ValueError, match='expected two rising numbers from 1 up'):
        CowMix(**options)


@pytest.mark.parametrize('proportion', [0, 1, 1.2])
def test_wrong_proportion(proportion):
    with pytest.raises(ValueError, match=f'proportion is {proportion}, expected a number between 0 and 1'):
        CowMix(proportion=proportion)
