import math

import pytest
import torch

from mmssl.models.mixing.class_mix import ClassMix, class_mask
from mmssl.models.mixing.mix import mix
from mmssl.registry import MODELS

# Three classes and ignored pixels; two classes; one class; nothing but ignored pixels.
LABELS = torch.tensor(
    [
        [[0, 0, 0, 7, 7, 7], [0, 0, 7, 7, 7, 7], [18, 18, 18, 18, 255, 255], [18, 18, 18, 18, 255, 255]],
        [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2], [2, 2, 2, 2, 2, 2]],
        [[4, 4, 4, 4, 4, 4]] * 4,
        [[255] * 6] * 4,
    ]
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn_classes(mask, labels):
    """The classes under the mask of each image; fails where a class is cut in two."""
    drawn = []
    for image_mask, image in zip(mask, labels, strict=True):
        inside, outside = set(image[image_mask].tolist()), set(image[~image_mask].tolist())
        assert not inside & outside
        drawn.append(inside)
    return drawn


def slow_mask(labels, generator, share, rounding, ignore_index, ignore_as_class):
    """Algorithm 1 of S2, class by class and pixel by pixel; the random order of the classes is that of the keys."""
    keys = torch.rand(len(labels), 256, generator=generator).tolist()
    mask = torch.zeros(labels.shape, dtype=torch.bool)
    for b, image in enumerate(labels.tolist()):
        classes = {label for row in image for label in row if ignore_as_class or label != ignore_index}
        count = {'ceil': math.ceil, 'floor': math.floor}[rounding](share * len(classes))
        drawn = sorted(classes, key=lambda label: keys[b][label])[:count]
        for y, row in enumerate(image):
            for x, label in enumerate(row):
                mask[b, y, x] = label in drawn
    return mask


@pytest.mark.parametrize(
    'options, counts',
    [
        ({}, [2, 1, 1, 0]),
        ({'rounding': 'floor'}, [1, 1, 0, 0]),
        ({'ignore_as_class': True}, [2, 1, 1, 1]),
        ({'ignore_as_class': True, 'rounding': 'floor'}, [2, 1, 0, 0]),
        ({'share': 1.0}, [3, 2, 1, 0]),
        ({'share': 0.0}, [0, 0, 0, 0]),
        ({'share': 0.34}, [2, 1, 1, 0]),
        ({'share': 1 / 3, 'rounding': 'floor'}, [1, 0, 0, 0]),
    ],
)
def test_number_of_classes(options, counts):
    for seed in range(20):
        drawn = drawn_classes(ClassMix(**options).draw(LABELS, seeded(seed)), LABELS)
        assert [len(classes) for classes in drawn] == counts


def test_every_number_of_classes_up_to_255():
    # 0.1 * 30 is 3.0000000000000004 in floating point: a ceiling of that would be 4.
    labels = torch.stack([torch.arange(256).clamp(max=n - 1) for n in range(1, 256)])[:, None]
    for share, quotient in ((0.5, 2), (0.1, 10)):
        up = [len(classes) for classes in drawn_classes(class_mask(labels, seeded(), share, 'ceil'), labels)]
        down = [len(classes) for classes in drawn_classes(class_mask(labels, seeded(), share, 'floor'), labels)]
        assert up == [-(-n // quotient) for n in range(1, 256)]
        assert down == [n // quotient for n in range(1, 256)]


def test_ignored_pixels_are_a_class_only_when_asked():
    pasted = 0
    for seed in range(50):
        assert not (ClassMix().draw(LABELS, seeded(seed)) & (LABELS == 255)).any()
        pasted += bool(ClassMix(ignore_as_class=True).draw(LABELS, seeded(seed))[0, 3, 5])
    assert 15 < pasted < 35  # 2 of 4 classes: 25 expected


def test_another_ignored_label():
    for seed in range(20):
        drawn = drawn_classes(ClassMix(ignore_index=7, share=1.0).draw(LABELS, seeded(seed)), LABELS)
        assert drawn == [{0, 18, 255}, {1, 2}, {4}, {255}]


@pytest.mark.parametrize('ignore_as_class', [False, True])
@pytest.mark.parametrize('rounding', ['ceil', 'floor'])
@pytest.mark.parametrize('share', [0.5, 0.25, 0.8])
def test_equals_the_slow_reference(share, rounding, ignore_as_class):
    labels = torch.randint(0, 19, (5, 9, 11), generator=seeded(3))
    labels[:, :2] = 255
    labels[1] = labels[1].clamp(max=4)
    for seed in range(5):
        options = (share, rounding, 255, ignore_as_class)
        expected = slow_mask(labels, seeded(seed), *options)
        assert torch.equal(class_mask(labels, seeded(seed), *options), expected)
        assert torch.equal(class_mask(labels.to(torch.uint8), seeded(seed), *options), expected)


def test_classes_are_drawn_for_each_image():
    labels = torch.arange(4).repeat(512, 1)[:, None]
    drawn = drawn_classes(class_mask(labels, seeded()), labels)
    assert {tuple(sorted(classes)) for classes in drawn} == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}
    # The partner's draw says nothing about one's own: 1 of 6 pairs agrees.
    same = sum(first == second for first, second in zip(drawn[::2], drawn[1::2], strict=True))
    assert 25 < same < 62  # 256 / 6 = 42.7, standard deviation 6.0


def test_choice_is_uniform():
    labels = torch.tensor([0, 5, 11, 254]).repeat(6000, 1)[:, None]
    pairs = [tuple(sorted(classes)) for classes in drawn_classes(class_mask(labels, seeded(1)), labels)]
    counts = [pairs.count(pair) for pair in sorted(set(pairs))]
    assert len(counts) == 6
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 20.5  # chi square, 5 degrees: p = 0.001


def test_same_state_same_mask_and_the_global_generator():
    labels = torch.randint(0, 19, (3, 8, 8), generator=seeded())
    assert torch.equal(class_mask(labels, seeded(4)), class_mask(labels, seeded(4)))
    generator = seeded(4)
    assert not torch.equal(class_mask(labels, generator), class_mask(labels, generator))
    torch.manual_seed(4)
    assert torch.equal(class_mask(labels), class_mask(labels, seeded(4)))


def test_labels_that_are_not_contiguous():
    labels = torch.randint(0, 19, (3, 8, 10), generator=seeded())
    turned = labels.transpose(1, 2)
    assert torch.equal(class_mask(turned, seeded()), class_mask(labels, seeded()).transpose(1, 2))


def test_nothing_is_read_back_from_the_device():
    # A meta tensor has no values: whoever reads one raises.
    assert ClassMix().draw(LABELS.to('meta'), seeded()).shape == (4, 4, 6)


def test_image_label_and_weight_by_the_same_mask():
    first, second = LABELS[:1], LABELS[1:2]
    for seed in range(10):
        mask = ClassMix().draw(first, seeded(seed))
        images = mix(mask, first[:, None].expand(-1, 3, -1, -1) / 8, second[:, None].expand(-1, 3, -1, -1) / 8)
        labels, weight = mix(mask, first, second), mix(mask, first / 16, second / 16)
        assert torch.equal(images[:, 1] * 8, labels.float())
        assert torch.equal(weight * 16, labels.float())
        assert (labels[mask] != 255).all()
        assert torch.equal(labels[~mask], second[~mask])


def test_wrong_labels_and_options_are_named():
    with pytest.raises(ValueError, match=r'labels to mix are 0 to 300, expected 0 to 255'):
        class_mask(torch.tensor([[[0, 300]]]))
    with pytest.raises(ValueError, match=r'labels to mix are -1 to 3, expected 0 to 255'):
        class_mask(torch.tensor([[[-1, 3]]]))
    with pytest.raises(ValueError, match=r'float32 \(2, 3, 4\), expected int64 or uint8'):
        class_mask(torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match=r"rounding is 'up', expected one of \['ceil', 'floor'\]"):
        ClassMix(rounding='up')
    with pytest.raises(ValueError, match='share is 1.5, expected 0 to 1'):
        ClassMix(share=1.5)
    with pytest.raises(ValueError, match='ignore_index is 256, expected 0 to 255'):
        ClassMix(ignore_index=256)


def test_builds_inside_mmseg(mmseg_scope):
    mixing = MODELS.build({'type': 'mmssl.ClassMix', 'rounding': 'floor'})
    assert repr(mixing) == "ClassMix(share=0.5, rounding='floor', ignore_as_class=False, ignore_index=255)"
    assert MODELS.build({'type': 'mmssl.CutMix'}).area == 0.5
    assert MODELS.build({'type': 'mmssl.CowMix'}).sigma == (8.0, 32.0)
