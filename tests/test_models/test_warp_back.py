"""Maps of affine views, back: a slow loop, masks by hand, types."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmssl.models.selfsup.warp_back import cell_centres, invert_affine, warp_back

EYE = torch.eye(2, 3)


def shifted(right: float, down: float = 0.0) -> torch.Tensor:
    """The map of a shift, in halves of the sides."""
    return torch.tensor([[1.0, 0.0, -right], [0.0, 1.0, -down]])


def random_maps(count: int, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    turn = (torch.rand(count, generator=g) - 0.5) * 2
    linear = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], dim=-1).view(count, 2, 2)
    linear = linear @ (torch.eye(2) + 0.2 * torch.randn(count, 2, 2, generator=g).triu(1))
    return torch.cat([linear, 0.4 * torch.randn(count, 2, 1, generator=g)], dim=-1)


def slow_warp_back(features, affine):
    """Cell by cell, in double precision, with the inverse by solving for the place."""
    B, C, H, W = features.shape
    out, mask = torch.zeros(B, C, H, W, dtype=torch.float64), torch.zeros(B, H, W, dtype=torch.bool)
    for b in range(B):
        (a11, a12, t1), (a21, a22, t2) = affine[b].double().tolist()
        det = a11 * a22 - a12 * a21
        for i in range(H):
            for j in range(W):
                qx, qy = (j + 0.5) / W * 2 - 1 - t1, (i + 0.5) / H * 2 - 1 - t2
                px, py = (a22 * qx - a12 * qy) / det, (a11 * qy - a21 * qx) / det
                if abs(px) > 1 or abs(py) > 1:
                    continue
                mask[b, i, j] = True
                x = min(max((px + 1) * W / 2 - 0.5, 0), W - 1)
                y = min(max((py + 1) * H / 2 - 0.5, 0), H - 1)
                left, top = min(int(x), W - 2), min(int(y), H - 2)
                for row, wy in ((top, 1 - (y - top)), (top + 1, y - top)):
                    for column, wx in ((left, 1 - (x - left)), (left + 1, x - left)):
                        out[b, :, i, j] += wy * wx * features[b, :, row, column].double()
    return out, mask


@pytest.mark.parametrize('size', [(7, 7), (14, 14), (5, 9)])
def test_equals_the_slow_loop(size):
    features, affine = torch.randn(6, 4, *size, generator=torch.Generator().manual_seed(1)), random_maps(6)
    warped, mask = warp_back(features, affine)
    expected, valid = slow_warp_back(features, affine)
    assert 0.2 < valid.float().mean() < 0.9
    assert torch.equal(mask, valid)
    assert (warped - expected).abs().max() < 1e-5
    assert warped.dtype == torch.float32
    assert (warped[~mask[:, None].expand_as(warped)] == 0).all()


def test_no_warp_changes_nothing():
    features = torch.randn(2, 3, 7, 7)
    warped, mask = warp_back(features, EYE.expand(2, 2, 3))
    assert (warped - features).abs().max() < 1e-5
    assert mask.all()


def test_shift_by_half_of_the_side():
    """The view was shifted to the right by half: its right half shows the left half of the view before."""
    features = torch.arange(16.0).view(1, 1, 4, 4)
    warped, mask = warp_back(features, shifted(1.0)[None])
    assert mask[0].tolist() == [[True, True, False, False]] * 4
    assert warped[0, 0].tolist() == [[2, 3, 0, 0], [6, 7, 0, 0], [10, 11, 0, 0], [14, 15, 0, 0]]
    # Upwards by half and to the right by a quarter.
    warped, mask = warp_back(features, shifted(0.5, -1.0)[None])
    assert mask[0].tolist() == [[False] * 4] * 2 + [[True, True, True, False]] * 2
    assert warped[0, 0, 2:].tolist() == [[1, 2, 3, 0], [5, 6, 7, 0]]


def test_by_a_shift_of_half_a_cell():
    """Centres on the edge count as inside; features there are those of the outermost cell."""
    features = torch.tensor([[[[1.0, 3.0, 5.0, 9.0]]]])
    for sign, expected in ((1, [2, 4, 7, 9]), (-1, [1, 2, 4, 7])):
        warped, mask = warp_back(features, shifted(sign * 0.25)[None])
        assert mask.all()
        assert warped[0, 0, 0].tolist() == pytest.approx(expected, abs=1e-5)
    assert warp_back(features, shifted(0.26)[None])[1][0, 0].tolist() == [True, True, True, False]


def test_quarter_turn_by_hand():
    """A view that was turned counter-clockwise by 90 degrees is turned back clockwise."""
    turned = torch.rot90(torch.arange(9.0).view(1, 1, 3, 3), 1, (2, 3))
    turn = math.radians(90)
    matrix = torch.tensor([[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0]])
    warped, mask = warp_back(turned, matrix[None])
    assert mask.all()
    assert (warped - torch.arange(9.0).view(1, 1, 3, 3)).abs().max() < 1e-5


def test_an_image_without_a_valid_cell():
    features = torch.randn(3, 2, 7, 7)
    affine = torch.stack([shifted(0.0), shifted(2.5), shifted(0.0, -2.0)])
    warped, mask = warp_back(features, affine)
    assert mask.flatten(1).any(dim=1).tolist() == [True, False, False]
    assert (warped[1:] == 0).all()


def test_inverse():
    affine = random_maps(20, seed=2)
    homogeneous = torch.tensor([0.0, 0.0, 1.0]).expand(20, 1, 3)
    product = torch.cat([affine, homogeneous], 1) @ torch.cat([invert_affine(affine), homogeneous], 1)
    assert (product - torch.eye(3)).abs().max() < 1e-5


def test_places_are_those_of_affine_grid():
    affine = random_maps(4, seed=3)
    features = torch.randn(4, 2, 6, 8)
    grid = F.affine_grid(invert_affine(affine), features.shape, align_corners=False)
    expected = F.grid_sample(features, grid, padding_mode='border', align_corners=False)
    warped, mask = warp_back(features, affine)
    assert (warped - expected * mask[:, None]).abs().max() < 1e-5
    assert cell_centres(4, affine).tolist() == [-0.75, -0.25, 0.25, 0.75]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_types(dtype):
    features, affine = torch.randn(4, 3, 14, 14), random_maps(4)
    warped, mask = warp_back(features.to(dtype), affine)
    assert warped.dtype == dtype
    expected, valid = slow_warp_back(features.to(dtype), affine)
    assert torch.equal(mask, valid)
    # Half a step of the type at 4, and nothing from the geometry.
    assert (warped.double() - expected).abs().max() < 2 * torch.finfo(dtype).eps + 1e-12


def test_under_autocast_geometry_stays_exact():
    features, affine = torch.randn(4, 3, 14, 14), random_maps(4)
    expected, valid = warp_back(features, affine)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        warped, mask = warp_back(features, affine)
    assert torch.equal(warped, expected)
    assert torch.equal(mask, valid)


def test_gradients():
    """Of a shift by half, each of the right half of the features goes to one cell, the left half to none."""
    features = torch.randn(1, 2, 4, 4, requires_grad=True)
    warp_back(features, shifted(1.0)[None])[0].sum().backward()
    assert (features.grad - torch.tensor([0.0, 0.0, 1.0, 1.0])).abs().max() < 1e-5
    precise = torch.randn(2, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda maps: warp_back(maps, random_maps(2).double())[0], precise)


def test_nothing_is_read_back_from_the_device():
    warped, mask = warp_back(torch.zeros(2, 3, 7, 7, device='meta'), torch.zeros(2, 2, 3, device='meta'))
    assert warped.shape == (2, 3, 7, 7)
    assert mask.shape == (2, 7, 7)


def test_shapes_are_checked():
    line = r'features are \(2, 3, 7, 7\), affine maps \(3, 2, 3\): expected \(B, C, H, W\), \(B, 2, 3\)'
    with pytest.raises(ValueError, match=line):
        warp_back(torch.zeros(2, 3, 7, 7), EYE.expand(3, 2, 3))
