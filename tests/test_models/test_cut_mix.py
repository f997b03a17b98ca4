import pytest
import torch

from mmssl.models.mixing.cut_mix import CutMix, cut_mask, draw_boxes
from mmssl.models.mixing.mix import mix


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def box_of(mask):
    """Top, left, height and width of the False pixels; fails if they form no rectangle."""
    ys, xs = (~mask).nonzero().T
    top, left, height, width = ys.min(), xs.min(), ys.max() - ys.min() + 1, xs.max() - xs.min() + 1
    assert len(ys) == height * width
    return [int(v) for v in (top, left, height, width)]


@pytest.mark.parametrize('shape', [(40, 30, 52), (40, 51, 33), (40, 8, 7)])
@pytest.mark.parametrize('area', [0.5, 0.3])
def test_one_rectangle_of_half_the_image(shape, area):
    _, H, W = shape
    for mask in cut_mask(shape, seeded(), area):
        top, left, height, width = box_of(mask)
        assert width >= area * W
        assert height == round(area * H * W / width)
        assert abs(height * width - area * H * W) <= width / 2
        assert 0 <= top <= H - height
        assert 0 <= left <= W - width


def test_mask_equals_the_boxes_pixel_by_pixel():
    shape = (6, 9, 13)
    mask = cut_mask(shape, seeded(2))
    for image_mask, (top, left, height, width) in zip(mask, draw_boxes(shape, seeded(2)).tolist(), strict=True):
        for y in range(9):
            for x in range(13):
                inside = top <= y < top + height and left <= x < left + width
                assert bool(image_mask[y, x]) == (not inside)


def test_widths_and_places_are_uniform():
    top, left, height, width = draw_boxes((40000, 100, 100), seeded(), 0.5).T
    counts = torch.bincount(width, minlength=101)
    assert counts[:50].sum() == 0
    expected = 40000 / 51  # 50 to 100
    assert ((counts[50:] - expected) ** 2 / expected).sum() < 86.7  # chi square, 50 degrees: p = 0.001
    # Where a box of 50 can be, from 0 to 50, it is equally often.
    places = torch.bincount(left[width == 50], minlength=51).double()
    assert len(places) == 51
    assert ((places - places.mean()) ** 2 / places.mean()).sum() < 86.7
    for start, size in ((top, height), (left, width)):
        share = (start / (100 - size))[size < 100]
        assert float(share.mean()) == pytest.approx(0.5, abs=0.01)
        assert float(share.min()) == 0.0
        assert float(share.max()) == 1.0


def test_box_comes_from_the_second_image():
    mask = CutMix().draw(torch.zeros(1, 10, 10, dtype=torch.long), seeded())
    mixed = mix(mask, torch.ones(1, 10, 10), torch.zeros(1, 10, 10))
    assert int(mixed.sum()) == 100 - int((~mask).sum())
    assert abs(float(mixed.mean()) - 0.5) <= 0.05


def test_ignored_pixels_are_never_pasted():
    labels = torch.randint(0, 3, (16, 12, 12), generator=seeded())
    labels[:, :3] = 255
    mask = CutMix().draw(labels, seeded(1))
    assert not mask[:, :3].any()
    assert torch.equal(mask[:, 3:], cut_mask((16, 12, 12), seeded(1))[:, 3:])
    assert not (CutMix(ignore_index=2).draw(labels, seeded(1)) & (labels == 2)).any()


def test_drawn_for_each_image_and_reproducible():
    first = cut_mask((16, 32, 32), seeded(5))
    assert len({tuple(box_of(mask)) for mask in first}) == 16
    generator = seeded(5)
    assert torch.equal(first, cut_mask((16, 32, 32), generator))
    assert not torch.equal(first, cut_mask((16, 32, 32), generator))
    assert CutMix().draw(torch.zeros(2, 8, 8, dtype=torch.long, device='meta'), seeded()).shape == (2, 8, 8)


@pytest.mark.parametrize('area', [0, 1, -0.5, 2])
def test_area_outside_the_image(area):
    with pytest.raises(ValueError, match=f'area is {area}, expected a number between 0 and 1'):
        CutMix(area=area)


def test_mix_keeps_type_and_memory_format():
    mask = torch.rand(2, 5, 7, generator=seeded()) < 0.5
    for dtype in (torch.float32, torch.float16, torch.int64, torch.uint8, torch.bool):
        first, second = torch.ones(2, 5, 7, dtype=dtype), torch.zeros(2, 5, 7, dtype=dtype)
        mixed = mix(mask, first, second)
        assert mixed.dtype == dtype
        assert torch.equal(mixed, mask.to(dtype))
    first, second = torch.rand(2, 2, 3, 5, 7, generator=seeded())
    expected = mask[:, None] * first + ~mask[:, None] * second  # equation 2.10
    assert torch.equal(mix(mask, first, second), expected)
    last = [images.contiguous(memory_format=torch.channels_last) for images in (first, second)]
    mixed = mix(mask, *last)
    assert torch.equal(mixed, expected)
    assert mixed.is_contiguous(memory_format=torch.channels_last)


def test_mix_names_what_does_not_fit():
    mask = torch.ones(2, 192, 256, dtype=torch.bool)
    first = torch.zeros(2, 3, 192, 256)
    names = ('labelled images', 'unlabelled')
    line = r'labelled images are 192x256, unlabelled 240x320: expected one size to mix; add Resize or RandomCrop'
    with pytest.raises(ValueError, match=f'^{line}$'):
        mix(mask, first, torch.zeros(2, 3, 240, 320), names)
    with pytest.raises(ValueError, match=r'labelled images have shape \(2, 3, 192, 256\), unlabelled \(4, 3, 192, 256'):
        mix(mask, first, torch.zeros(4, 3, 192, 256), names)
    with pytest.raises(
        ValueError, match=r'the mask is torch.bool \(1, 192, 256\), expected torch.bool \(B, H, W\) for'
    ):
        mix(mask[:1], first, first)
    with pytest.raises(ValueError, match=r'the mask is torch.float32'):
        mix(mask.float(), first, first)
