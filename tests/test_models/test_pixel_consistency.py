"""Positive pairs by hand and pair by pair in Python; the loss by hand, pair by pair, its bounds and its gradient."""

import math
from contextlib import nullcontext

import pytest
import torch
from torch.autograd import gradcheck

from mmssl.models.losses.pixel_consistency import PixelConsistencyLoss, cosine_sums, pixel_consistency
from mmssl.models.losses.positive_pairs import centres_in_image, positive_pairs
from mmssl.registry import MODELS


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def views(*pairs) -> torch.Tensor:
    return torch.tensor(pairs, dtype=torch.float32)


def random_boxes(count: int, seed: int = 0) -> torch.Tensor:
    """Crops of a 500x375 image, flipped at random."""
    generator = seeded(seed)
    sides = torch.tensor([500.0, 375.0])
    size = (0.2 + 0.7 * torch.rand(count, 2, 2, generator=generator)) * sides
    start = torch.rand(count, 2, 2, generator=generator) * (sides - size)
    boxes = torch.cat([start, start + size], dim=2)
    flipped = torch.rand(count, 2, generator=generator) < 0.5
    return torch.where(flipped[..., None], boxes[..., [2, 1, 0, 3]], boxes)


def slow_pairs(boxes, size, threshold):
    """Equation 2.12 pair by pair, in double precision."""
    (height, width), cells = size, size[0] * size[1]
    pairs = torch.zeros(len(boxes), cells, cells, dtype=torch.bool)
    for b, (first, second) in enumerate(boxes.tolist()):
        diagonal = max(math.hypot((x2 - x1) / width, (y2 - y1) / height) for x1, y1, x2, y2 in (first, second))
        for p in range(cells):
            for q in range(cells):
                centres = []
                for (x1, y1, x2, y2), (i, j) in ((first, divmod(p, width)), (second, divmod(q, width))):
                    centres.append((x1 + (j + 0.5) / width * (x2 - x1), y1 + (i + 0.5) / height * (y2 - y1)))
                pairs[b, p, q] = math.dist(*centres) / diagonal < threshold
    return pairs


def slow_loss(online, target, pairs, average):
    """Equation 2.13 pair by pair."""
    losses = []
    for b in range(len(pairs)):
        y1, y2, x1, x2 = (one[b].flatten(1).T for one in (*online, *target))
        terms = []
        for i in range(pairs.shape[1]):
            for j in range(pairs.shape[2]):
                if pairs[b, i, j]:
                    forth = y1[i] @ x2[j] / (y1[i].norm() * x2[j].norm())
                    back = y2[j] @ x1[i] / (y2[j].norm() * x1[i].norm())
                    terms.append(float(-forth - back))
        losses.append(sum(terms) / len(terms) if terms else None)
    known = [loss for loss in losses if loss is not None]
    return sum(known) / (len(losses) if average == 'all' else max(len(known), 1)), losses


def test_centres_in_image_by_hand():
    x, y = centres_in_image(torch.tensor([[10.0, 20, 50, 26], [50, 20, 10, 26]]), (3, 4))
    assert x.tolist() == [[15, 25, 35, 45], [45, 35, 25, 15]]
    assert y.tolist() == [[21, 23, 25]] * 2


def test_identical_square_views_match_their_own_cell_alone():
    square = [32.0, 16, 256, 240]
    pairs = positive_pairs(views([square, square]), (7, 7))
    assert torch.equal(pairs[0], torch.eye(49, dtype=torch.bool))
    # Neighbours are at 1 / sqrt(2) = 0.7071: 42 beside and 42 below each other, each in both orders.
    assert positive_pairs(views([square, square]), (7, 7), 0.708).sum() == 49 + 168


def test_low_bins_make_vertical_neighbours_positive():
    # Bins of 40 x 30: diagonal 50, a vertical neighbour at 30 / 50 = 0.6, a horizontal one at 0.8.
    wide = [0.0, 0, 280, 210]
    pairs = positive_pairs(views([wide, wide]), (7, 7))[0].view(7, 7, 7, 7)
    assert pairs.sum() == 49 + 2 * 42
    for (i, j), partners in (((3, 3), {(2, 3), (3, 3), (4, 3)}), ((0, 5), {(0, 5), (1, 5)})):
        assert {tuple(cell) for cell in pairs[i, j].nonzero().tolist()} == partners


def test_distance_at_the_threshold_is_no_positive():
    # Bins of 3 x 4, so a diagonal of 5; view 2 is 1.5 to the right and 2 down: 2.5 / 5.
    boxes = views([[0.0, 0, 6, 8], [1.5, 2, 7.5, 10]])
    assert not positive_pairs(boxes, (2, 2), 0.5)[0].diagonal().any()
    assert positive_pairs(boxes, (2, 2), 0.5001)[0].diagonal().all()


def test_flipped_view_matches_mirrored():
    square, mirrored = [0.0, 0, 70, 70], [70.0, 0, 0, 70]
    pairs = positive_pairs(views([square, mirrored], [mirrored, mirrored]), (7, 7))
    assert torch.equal(pairs[0].view(7, 7, 7, 7).flip(3).reshape(49, 49), torch.eye(49, dtype=torch.bool))
    assert torch.equal(pairs[1], torch.eye(49, dtype=torch.bool))


def test_partly_overlapping_and_disjoint_views():
    # View 2 is 3 cells to the right and 2 down: 4 x 5 cells in common.
    boxes = views([[0.0, 0, 70, 70], [30, 20, 100, 90]], [[0, 0, 70, 70], [71, 0, 141, 70]])
    pairs = positive_pairs(boxes, (7, 7))
    assert pairs.sum((1, 2)).tolist() == [20, 0]
    for p, q in pairs[0].nonzero().tolist():
        assert divmod(p, 7) == (q // 7 + 2, q % 7 + 3)


def test_the_larger_bin_decides():
    # View 2 is the middle cell of view 1, 7 x 7 in 10 pixels: all its cells are nearer than 0.7 * 14.1 = 9.9 to it, and
    # some to its neighbours; divided by the smaller diagonal, 2.02, only those within 1.41 pixels would be.
    boxes = views([[0.0, 0, 70, 70], [30, 30, 40, 40]])
    pairs = positive_pairs(boxes, (7, 7))[0].view(7, 7, 49)
    assert pairs[3, 3].all()
    # The cell above has its centre at (35, 25): rows at 30.7, 32.1 and 33.6 are within 9.9 over all their width.
    assert pairs[2, 3].view(7, 7)[:3].all()
    assert not pairs[2, 3].view(7, 7)[4:].any()
    assert torch.equal(positive_pairs(boxes.flip(1), (7, 7))[0], pairs.view(49, 49).T)


@pytest.mark.parametrize('size', [(4, 4), (3, 5)])
@pytest.mark.parametrize('threshold', [0.5, 0.7, 1.3])
def test_pairs_equal_the_slow_reference(size, threshold):
    boxes = random_boxes(12)
    pairs = positive_pairs(boxes, size, threshold)
    assert torch.equal(pairs, slow_pairs(boxes, size, threshold))
    assert 100 < pairs.sum() < pairs.numel() / 2


def test_cells_without_image_are_no_positives():
    boxes = random_boxes(4)
    free = positive_pairs(boxes, (4, 4), 1.0)
    first, second = (torch.rand(4, 4, 4, generator=seeded(seed)) < 0.7 for seed in (1, 2))
    expected = free & first.flatten(1)[:, :, None] & second.flatten(1)[:, None, :]
    assert torch.equal(positive_pairs(boxes, (4, 4), 1.0, (first, second)), expected)
    assert 0 < expected.sum() < free.sum()
    expected = free & first.flatten(1)[:, :, None]
    assert torch.equal(positive_pairs(boxes, (4, 4), 1.0, (first, None)), expected)


def test_loss_by_hand():
    # Two cells a view; cell 1 of view 1 is cell 0 of view 2, and view 1 has nothing else.
    pairs = torch.tensor([[[False, False], [True, False]]])
    y1, y2 = torch.tensor([[9.0, 3], [9, 4]]), torch.tensor([[0.0, 9], [2, 9]])
    x1, x2 = torch.tensor([[9.0, 5], [9, 12]]), torch.tensor([[2.0, 9], [0, 9]])
    # cos((3, 4), (2, 0)) = 0.6; cos((0, 2), (5, 12)) = 12 / 13.
    online, target = ([one[None, :, None] for one in both] for both in ((y1, y2), (x1, x2)))
    found = pixel_consistency(online, target, pairs)
    assert found.loss.item() == pytest.approx(-0.6 - 12 / 13)
    assert found.cosine.item() == pytest.approx((0.6 + 12 / 13) / 2)
    assert found.num_positives.tolist() == [1]
    assert found.no_overlap.item() == 0


@pytest.mark.parametrize('average', ['all', 'overlapping'])
def test_loss_equals_the_slow_reference(average):
    boxes = torch.cat([random_boxes(5), views([[0.0, 0, 9, 9], [99, 99, 110, 110]])])
    online, target = ([noise(6, 7, 4, 3, seed=seed) for seed in seeds] for seeds in ((1, 2), (3, 4)))
    found = PixelConsistencyLoss(average=average)(online, target, boxes)
    pairs = slow_pairs(boxes, (4, 3), 0.7)
    expected, each = slow_loss(online, target, pairs, average)
    known = [loss for loss in each if loss is not None]
    assert len(known) < 6
    assert found.loss.item() == pytest.approx(expected, rel=1e-10)
    assert found.cosine.item() == pytest.approx(-sum(known) / len(known) / 2, rel=1e-10)
    assert found.num_positives.tolist() == pairs.sum((1, 2)).tolist()
    assert found.no_overlap.item() == pytest.approx(1 - len(known) / 6)


@pytest.mark.parametrize('average', ['all', 'overlapping'])
@pytest.mark.parametrize('sign, cosine', [(1, 1), (-1, -1)])
def test_bounds(average, sign, cosine):
    """-2 where every pair agrees and 2 where it is opposite, whatever the lengths and the numbers of pairs."""
    feature = noise(1, 5, 1, 1)
    maps = [feature * noise(4, 1, 3, 3, seed=seed).exp() for seed in range(4)]
    boxes = random_boxes(4).clone()
    boxes[:, 1] = boxes[:, 0]
    found = pixel_consistency(maps[:2], [sign * one for one in maps[2:]], positive_pairs(boxes, (3, 3)), average)
    assert found.loss.item() == pytest.approx(-2 * cosine)
    assert found.cosine.item() == pytest.approx(cosine)
    released = PixelConsistencyLoss(loss_weight=2, average=average)(maps[:2], [sign * one for one in maps[2:]], boxes)
    assert released.loss.item() == pytest.approx(-4 * cosine)
    assert released.cosine.item() == pytest.approx(cosine)


def test_average_over_all_images_or_those_that_overlap():
    feature = torch.ones(4, 3, 2, 2)
    same, apart = [[0.0, 0, 8, 8]] * 2, [[0.0, 0, 8, 8], [50, 50, 58, 58]]
    boxes = views(same, apart, apart, apart)
    for average, expected in (('all', -0.5), ('overlapping', -2.0)):
        found = PixelConsistencyLoss(average=average)([feature] * 2, [feature] * 2, boxes)
        assert found.loss.item() == pytest.approx(expected)
        assert found.cosine.item() == pytest.approx(1)
        assert found.no_overlap.item() == 0.75
        assert found.num_positives.tolist() == [4, 0, 0, 0]


@pytest.mark.parametrize('average', ['all', 'overlapping'])
def test_no_overlap_at_all_is_0_with_a_graph(average):
    y = torch.randn(2, 3, 4, 4, generator=seeded()).requires_grad_()
    boxes = views(*[[[0.0, 0, 8, 8], [50, 50, 58, 58]]] * 2)
    found = PixelConsistencyLoss(average=average)((y, 2 * y), (y, y), boxes)
    assert found.loss.item() == 0
    assert (found.cosine.item(), found.no_overlap.item()) == (0, 1)
    found.loss.backward()
    assert y.grad.abs().max() == 0


def test_views_may_be_swapped():
    boxes = random_boxes(5)
    online, target = ([noise(5, 7, 4, 4, seed=seed) for seed in seeds] for seeds in ((1, 2), (3, 4)))
    valid = [torch.rand(5, 4, 4, generator=seeded(seed)) < 0.8 for seed in (1, 2)]
    loss = PixelConsistencyLoss()
    one, other = loss(online, target, boxes, valid), loss(online[::-1], target[::-1], boxes.flip(1), valid[::-1])
    for first, second in zip(one, other, strict=True):
        torch.testing.assert_close(first, second)
    assert abs(one.loss.item()) > 1e-3


def test_target_gets_no_gradient():
    maps = [noise(2, 4, 3, 3, seed=seed).requires_grad_() for seed in range(4)]
    pixel_consistency(maps[:2], maps[2:], positive_pairs(random_boxes(2), (3, 3), 2.0)).loss.backward()
    assert all(one.grad.abs().max() > 1e-3 for one in maps[:2])
    assert all(one.grad is None for one in maps[2:])


@pytest.mark.parametrize('average', ['all', 'overlapping'])
def test_gradcheck(average):
    boxes = torch.cat([random_boxes(2), views([[0.0, 0, 9, 9], [99, 99, 110, 110]])])
    pairs = positive_pairs(boxes, (2, 3), 1.0)
    assert pairs[:2].any(2).any(1).all()
    target = [noise(3, 4, 2, 3, seed=seed) for seed in (3, 4)]
    online = [noise(3, 4, 2, 3, seed=seed).requires_grad_() for seed in (1, 2)]
    assert gradcheck(lambda *maps: pixel_consistency(maps, target, pairs, average).loss, online)


def test_zero_features_count_as_cosine_0():
    online = [torch.zeros(1, 3, 2, 2, requires_grad=True), torch.ones(1, 3, 2, 2)]
    found = PixelConsistencyLoss()(
        online, [torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)], views([[0.0, 0, 8, 8]] * 2)
    )
    assert found.loss.item() == 0
    found.loss.backward()
    assert torch.isfinite(online[0].grad).all()


def test_half_precision_is_computed_in_single():
    boxes = random_boxes(4)
    maps = [noise(4, 16, 5, 5, seed=seed).float() for seed in range(4)]
    exact = PixelConsistencyLoss()(maps[:2], maps[2:], boxes)
    half = [one.bfloat16() for one in maps]
    with torch.autocast('cpu', torch.bfloat16):
        found = PixelConsistencyLoss()(half[:2], half[2:], boxes)
    rounded = PixelConsistencyLoss()([one.float() for one in half[:2]], [one.float() for one in half[2:]], boxes)
    assert found.loss.dtype == torch.float32
    assert found.loss.item() == rounded.loss.item()
    assert found.loss.item() == pytest.approx(exact.loss.item(), abs=2e-3)


def test_graph_keeps_no_matrix_of_all_pairs():
    kept = []

    def pack(tensor):
        kept.append(tensor.untyped_storage().nbytes())
        return tensor

    maps = [torch.randn(1, 8, 20, 20, generator=seeded(seed)) for seed in range(4)]
    online = [one.requires_grad_() for one in maps[:2]]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        found = PixelConsistencyLoss()(online, maps[2:], random_boxes(1))
    assert found.num_positives.item() > 0
    assert max(kept) == 4 * 8 * 400  # a map; bool pairs alone would be 400 * 400


def test_nothing_is_read_back_from_the_device(monkeypatch):
    # A meta tensor has no values: whoever reads one raises. It has no autocast either.
    monkeypatch.setattr(torch, 'autocast', lambda *arguments, **options: nullcontext())
    maps = [torch.zeros(2, 8, 7, 7, device='meta')] * 2
    valid = (None, torch.zeros(2, 7, 7, dtype=torch.bool, device='meta'))
    found = PixelConsistencyLoss()(maps, maps, random_boxes(2).to('meta'), valid)
    assert (found.loss.shape, found.num_positives.shape) == ((), (2,))


def test_sums_of_maps_of_different_sizes():
    y, x = torch.tensor([[[3.0, 0], [4, 2]]]), torch.tensor([[[1.0, 0, -5], [0, 1, 12]]])
    # Cosines of (3, 4) are 0.6, 0.8 and 33 / 65; those of (0, 2) are 0, 1 and 12 / 13.
    pairs = torch.tensor([[[1.0, 0, 1], [0, 1, 1]]])
    assert cosine_sums(y, x, pairs).item() == pytest.approx(0.6 + 33 / 65 + 1 + 12 / 13)


def test_builds_by_config(mmseg_scope):
    loss = MODELS.build({'type': 'mmssl.PixelConsistencyLoss', 'average': 'overlapping', 'loss_weight': 2.0})
    assert repr(loss) == "PixelConsistencyLoss(threshold=0.7, average='overlapping', loss_weight=2.0)"
    assert repr(PixelConsistencyLoss()) == "PixelConsistencyLoss(threshold=0.7, average='all', loss_weight=1.0)"


def test_wrong_options_and_input_are_one_line():
    for options, message in (
        ({'threshold': 0}, 'threshold=0, expected a number above 0'),
        ({'average': 'mean'}, r"average='mean', expected one of \('all', 'overlapping'\)"),
    ):
        with pytest.raises(ValueError, match=f'PixelConsistencyLoss: {message}'):
            PixelConsistencyLoss(**options)
    with pytest.raises(ValueError, match=r'boxes of two views are \(2, 4\), expected \(B, 2, 4\)'):
        positive_pairs(torch.zeros(2, 4), (7, 7))
    with pytest.raises(ValueError, match=r'a mask of valid cells is torch.bool \(2, 7, 8\), expected bool \(2, 7, 7\)'):
        positive_pairs(torch.zeros(2, 2, 4), (7, 7), valid=(torch.zeros(2, 7, 8, dtype=torch.bool), None))
    small, large = torch.zeros(2, 4, 3, 3), torch.zeros(2, 4, 3, 4)
    with pytest.raises(ValueError, match=r'maps of the two views are \[.*\], expected one shape \(B, C, H, W\)'):
        pixel_consistency((small, small), (small, large), torch.zeros(2, 9, 9, dtype=torch.bool))
    with pytest.raises(ValueError, match=r'positive pairs are \(2, 9, 8\), expected \(2, 9, 9\)'):
        pixel_consistency((small, small), (small, small), torch.zeros(2, 9, 8, dtype=torch.bool))
