"""Bins of colours: by hand, against scikit-image and a slow nearest search, the annealed mean and its limits."""

import cv2
import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from mmssl.datasets.transforms.pretext.colorization import split_lab
from mmssl.models.decode_heads.color_bins import (
    annealed_mean,
    bin_table,
    cube_surface,
    in_gamut_bins,
    nearest_bin,
    srgb_to_ab,
)


@pytest.fixture(scope='module')
def centres():
    return in_gamut_bins(10.0)


@pytest.fixture(scope='module')
def table(centres):
    return bin_table(centres)


def test_the_surface_of_a_small_cube():
    """Three values a side, 27 colours, the middle one inside; 12 edges come twice and 8 corners three times."""
    surface = cube_surface(step=85)
    assert surface.shape == (6 * 16, 3)
    assert len(surface.unique(dim=0)) == 4**3 - 2**3
    assert ((surface == 0) | (surface == 255)).any(dim=1).all()
    assert surface.unique().tolist() == [0, 85, 170, 255]


def test_colours_against_scikit_image():
    rgb = np.random.default_rng(0).integers(0, 256, (500, 3), dtype=np.uint8)
    rgb[0], rgb[1], rgb[2] = 0, 255, (3, 1, 2)
    expected = rgb2lab(rgb[None])[0, :, 1:]
    # Its matrix and white point have other digits.
    assert np.abs(srgb_to_ab(torch.from_numpy(rgb)).numpy() - expected).max() < 0.02


def test_how_many_bins_there_are(centres):
    assert centres.shape == (261, 2)
    assert centres.dtype == torch.float32
    assert (centres % 10 == 0).all()
    assert len(centres.unique(dim=0)) == 261
    rows = centres.tolist()
    assert rows == sorted(rows)
    assert (centres[:, 0].min(), centres[:, 0].max()) == (-90, 100)
    assert (centres[:, 1].min(), centres[:, 1].max()) == (-110, 90)
    assert [0.0, 0.0] in rows
    # The first of the paper's 313.
    assert [-90.0, 50.0] not in rows
    # sRGB's primaries: (80.1, 67.2), (-86.2, 83.2), (79.2, -107.9)
    assert all(centre in rows for centre in ([80.0, 70.0], [-90.0, 80.0], [80.0, -110.0]))


@pytest.mark.parametrize(('side', 'step'), [(10.0, 3), (20.0, 1), (50.0, 1)])
def test_bins_against_scikit_image(side, step):
    """Cells of its colours: nothing lies so near an edge that its other digits matter for these sides."""
    ab = rgb2lab(cube_surface(step).numpy().astype(np.uint8)[None])[0, :, 1:]
    cells = np.unique(np.ceil(ab / side - 0.5), axis=0) * side
    assert np.array_equal(cells + 0.0, in_gamut_bins(side).numpy())


def test_the_inside_of_the_cube_adds_none(centres):
    levels = torch.arange(0, 256, 5)
    colours = torch.stack(torch.meshgrid(levels, levels, levels, indexing='ij'), dim=-1).reshape(-1, 3)
    cells = torch.unique(torch.ceil(srgb_to_ab(colours) / 10 - 0.5), dim=0) * 10
    assert {tuple(row) for row in cells.tolist()} <= {tuple(row) for row in centres.tolist()}


def test_nearest_bins_by_hand(table, centres):
    ab = torch.tensor([[0, 5, 6, -5, -4, 79, -86], [0, 5, 5, -5, 4, -108, 83]], dtype=torch.int8)[None, :, None]
    bins = nearest_bin(ab, table)
    assert bins.shape == (1, 1, 7)
    assert bins.dtype == torch.int64
    # Half-way values belong to the lower bin.
    expected = [[0, 0], [0, 0], [10, 0], [-10, -10], [0, 0], [80, -110], [-90, 80]]
    assert centres[bins[0, 0]].tolist() == expected


@pytest.mark.parametrize('side', [10.0, 7.5])
def test_nearest_bins_against_a_slow_search(side):
    """All 65,536 colours, in gamut or not, in float64."""
    centres = in_gamut_bins(side)
    values = np.arange(-128, 128)
    ab = np.stack(np.meshgrid(values, values, indexing='ij')).astype(np.int8)
    found = nearest_bin(torch.from_numpy(ab)[None], bin_table(centres))[0].numpy()
    points = centres.double().numpy()
    for a in values[::5]:
        squares = (a - points[:, 0]) ** 2 + (values[:, None] - points[:, 1]) ** 2
        assert np.array_equal(found[a + 128], squares.argmin(axis=1))


def test_a_photograph(camvid_root, table, centres):
    """Every colour of a street is in its own bin: at most 5 off in a and in b, from the 8-bit targets."""
    image = cv2.imread(str(sorted((camvid_root / 'val').glob('*.png'))[0]))
    ab = torch.from_numpy(split_lab(image)[1])
    bins = nearest_bin(ab[None], table)[0]
    off = centres[bins].permute(2, 0, 1) - ab
    assert (off.max(), off.min()) <= (5, 4)
    assert off.abs().max() <= 5
    assert torch.equal(centres[bins].permute(2, 0, 1), torch.ceil(ab / 10 - 0.5) * 10 + 0.0)
    small = nearest_bin(ab[None], table.to(torch.int16))
    assert small.dtype == torch.int64
    assert torch.equal(small[0], bins)


def test_targets_of_every_colour_are_within_their_bins(table, centres):
    """Ten in a million are rounded onto the edge of a bin that is none, and belong to the neighbour."""
    levels = np.arange(256, dtype=np.uint8)
    plane = np.dstack([*np.meshgrid(levels, levels), np.zeros((256, 256), np.uint8)])
    counts = np.zeros(65536, np.int64)
    for red in range(256):
        plane[..., 2] = red
        a, b = split_lab(plane)[1].astype(np.int64) + 128
        counts += np.bincount((a * 256 + b).ravel(), minlength=65536)
    places = np.flatnonzero(counts)
    ab = np.stack([places // 256, places % 256]) - 128
    nearest = centres[table.flatten()[torch.from_numpy(places)]].numpy().T
    assert counts.sum() == 256**3
    assert np.abs(nearest - ab).max() == 5
    moved = (nearest != np.ceil(ab / 10 - 0.5) * 10).any(axis=0)
    assert 0 < counts[places[moved]].sum() < 20e-6 * 256**3


def test_annealed_mean_by_hand():
    """Probabilities 1/2, 1/4, 1/4: squared at T = 1/2 they are 4/6, 1/6, 1/6."""
    centres = torch.tensor([[0.0, 0.0], [12.0, 0.0], [0.0, -24.0]])
    logits = torch.log(torch.tensor([0.5, 0.25, 0.25]))[None, :, None, None] + 7
    assert annealed_mean(logits, centres, 1.0).flatten().tolist() == pytest.approx([3, -6])
    assert annealed_mean(logits, centres, 0.5).flatten().tolist() == pytest.approx([2, -4])
    powers = np.array([0.5, 0.25, 0.25]) ** (1 / 0.38)
    expected = powers @ centres.numpy() / powers.sum()
    assert annealed_mean(logits, centres).flatten().tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_limits_of_the_temperature(centres):
    logits = torch.randn(2, len(centres), 3, 4, generator=torch.Generator().manual_seed(0))
    cold = annealed_mean(logits, centres, 1e-4)
    assert cold.shape == (2, 2, 3, 4)
    assert torch.equal(cold, centres[logits.argmax(dim=1)].permute(0, 3, 1, 2))
    hot = annealed_mean(logits, centres, 1e6)
    assert torch.allclose(hot, centres.mean(dim=0)[None, :, None, None].expand_as(hot), atol=1e-3)
    assert annealed_mean(logits.half(), centres, 0.38).dtype == torch.float32


def test_bad_input(table, centres):
    for side in (0, -1, float('nan')):
        with pytest.raises(ValueError, match='in_gamut_bins: side=.*, expected a number above 0'):
            in_gamut_bins(side)
    with pytest.raises(ValueError, match='annealed_mean: temperature=0, expected a number above 0'):
        annealed_mean(torch.zeros(1, 261, 1, 1), centres, 0)
    with pytest.raises(ValueError, match=r'nearest_bin: \(1, 2, 3, 4\) torch.float32 found, expected \(B, 2, H, W\)'):
        nearest_bin(torch.zeros(1, 2, 3, 4), table)
    with pytest.raises(ValueError, match=r'nearest_bin: \(2, 3, 4\) torch.int8 found'):
        nearest_bin(torch.zeros(2, 3, 4, dtype=torch.int8), table)
