"""Ratios of times, both sides measured in turn in one process; bounds leave room for a busy machine."""

import time

import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms.v2 import functional

from mmssl.models.mixing.class_mix import class_mask
from mmssl.models.mixing.gaussian import gaussian_blur
from mmssl.models.mixing.hue import adjust_hue
from mmssl.models.mixing.mix import mix

B, H, W, CLASSES = 4, 512, 1024, 19


def ratio(ours, theirs, repeats=6):
    """Best time of ours by best time of theirs, in turn, after one round of warm-up."""
    times = {ours: [], theirs: []}
    for _ in range(repeats + 1):
        for function in times:
            start = time.perf_counter()
            function()
            times[function].append(time.perf_counter() - start)
    return min(times[ours][1:]) / min(times[theirs][1:])


@pytest.fixture(scope='module')
def labels():
    """Street-like: 19 classes in blobs of about 32 pixels, and a border that is ignored."""
    scores = torch.randn(B, CLASSES, H // 32, W // 32, generator=torch.Generator().manual_seed(0))
    labels = F.interpolate(scores, (H, W), mode='bilinear').argmax(dim=1)
    labels[:, :8] = 255
    return labels


@pytest.fixture(scope='module')
def images():
    return torch.rand(B, 3, H, W, generator=torch.Generator().manual_seed(0))


def classes_in_turn(labels, drawn):
    masks = torch.zeros(labels.shape, dtype=torch.bool)
    for mask, image, classes in zip(masks, labels, drawn, strict=True):
        for label in classes:
            mask |= image == label
    return masks


def test_class_mask_beside_comparing_each_drawn_class(labels):
    # The other side is told the classes; ours finds and draws them too. 0.21 to 0.35 on 2 busy cores.
    drawn = [range(0, 20, 2)] * B
    assert ratio(lambda: class_mask(labels), lambda: classes_in_turn(labels, drawn)) < 0.8


def test_mask_and_mix_beside_the_naive_way(labels, images):
    partners = [batch.flip(0) for batch in (images, labels, images[:, 0].contiguous())]
    own = [images, labels, images[:, 0].contiguous()]

    def mixed(mask):
        return [mix(mask, first, second) for first, second in zip(own, partners, strict=True)]

    def naive():
        present = [image.unique() for image in labels]
        drawn = [classes[torch.randperm(len(classes) - 1)[: len(classes) // 2]].tolist() for classes in present]
        return mixed(classes_in_turn(labels, drawn))

    # Finding the classes, mask and mix of image, label and weight: 0.18 to 0.32 on 2 busy cores.
    assert ratio(lambda: mixed(class_mask(labels)), naive) < 0.8


def test_hue_beside_torchvision(images):
    # 0.31 to 0.37 on 2 busy cores.
    assert ratio(lambda: adjust_hue(images, 0.1), lambda: functional.adjust_hue(images, 0.1), 3) < 0.8


def test_blur_beside_the_whole_kernel(images):
    small = images[:1, :, :256, :256]  # kernel of 25
    # 0.03 to 0.09 on 2 busy cores; less for larger images, whose kernels are larger.
    assert (
        ratio(lambda: gaussian_blur(small, 1.15), lambda: functional.gaussian_blur(small, [25, 25], [1.15] * 2)) < 0.8
    )
