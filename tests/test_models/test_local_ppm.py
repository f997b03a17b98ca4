"""LocalPPM: pixel by pixel in Python, equal to PPM in one frame, padding that counts for nothing, and its cost."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from mmssl.models.necks.local_ppm import LocalPPM, from_frames, to_frames
from mmssl.models.necks.ppm import PPM
from mmssl.registry import MODELS


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(frame, channels=6, seed=1, **options) -> LocalPPM:
    torch.manual_seed(seed)
    return LocalPPM(frame_size=frame, in_channels=channels, **options).double()


def slow_local_ppm(x, values, frame, gamma):
    """Pixel by pixel for one image; two pixels meet when their frame is the same."""
    pixels = list(itertools.product(range(x.shape[1]), range(x.shape[2])))
    out = torch.zeros_like(values)
    for i, j in pixels:
        for k, m in pixels:
            if (i // frame[0], j // frame[1]) == (k // frame[0], m // frame[1]):
                one, other, value = x[:, i, j], x[:, k, m], values[:, k, m]
                cosine = float(one @ other / (one.norm() * other.norm()))
                out[:, i, j] += max(cosine, 0) ** gamma * value / value.norm()
    return out


def plain_ppm(x, values, gamma, normalize_values):
    """All pixels of a map, in operations that autograd differentiates by itself."""
    unit = F.normalize(x.flatten(2), dim=1)
    cosines = unit.mT @ unit
    values_of_pixels = F.normalize(values.flatten(2), dim=1) if normalize_values else values.flatten(2)
    weights = torch.where(cosines > 0, cosines.clamp(min=1e-9) ** gamma, 0.0)
    return (values_of_pixels @ weights).view(x.shape)


def test_frames_by_hand():
    x = torch.arange(1.0, 13).view(1, 1, 3, 4)
    # 1  2 | 3  4
    # 5  6 | 7  8
    # -----+-----
    # 9 10 | 11 12, and below it 0
    frames = to_frames(x, (2, 2))
    assert frames[:, 0].tolist() == [[1, 2, 5, 6], [3, 4, 7, 8], [9, 10, 0, 0], [11, 12, 0, 0]]
    assert torch.equal(from_frames(frames, (2, 2), (3, 4)), x)
    assert to_frames(x, (2, 3))[:, 0].tolist() == [
        [1, 2, 3, 5, 6, 7], [4, 0, 0, 8, 0, 0], [9, 10, 11, 0, 0, 0], [12, 0, 0, 0, 0, 0]
    ]  # fmt: skip


@pytest.mark.parametrize('frame', [(1, 1), (2, 3), (3, 3), (5, 5), (4, 9)])
@pytest.mark.parametrize('size', [(5, 9), (6, 12), (11, 10)])
def test_frames_and_back(frame, size):
    x = noise(3, 2, *size)
    frames = to_frames(x, frame)
    assert frames.shape == (3 * -(-size[0] // frame[0]) * -(-size[1] // frame[1]), 2, frame[0] * frame[1])
    assert frames.sum().item() == pytest.approx(x.sum().item())
    assert torch.equal(from_frames(frames, frame, size), x)


@pytest.mark.parametrize('frame', [(2, 2), (3, 3), (2, 5), (4, 3)])
@pytest.mark.parametrize('gamma', [0.5, 2.0])
def test_equals_the_slow_reference(frame, gamma):
    ppm, x = built(frame, gamma=gamma), noise(2, 6, 4, 6)
    convolution = ppm.transform[0]
    for image, result in zip(x, ppm(x), strict=True):
        values = torch.einsum('oc,chw->ohw', convolution.weight[:, :, 0, 0], image) + convolution.bias[:, None, None]
        torch.testing.assert_close(result, slow_local_ppm(image, values, frame, gamma))


@pytest.mark.parametrize('options', [{}, {'transform_layers': 2}, {'normalize_values': False, 'gamma': 0.5}])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_one_frame_is_ppm_to_the_bit(options, dtype):
    local = built((5, 7), **options).to(dtype)
    whole = PPM(in_channels=6, **options).to(dtype)
    whole.load_state_dict(local.state_dict())
    results = []
    for module in (local, whole):
        x = noise(2, 6, 5, 7).to(dtype).requires_grad_()
        out = module(x)
        (out * noise(2, 6, 5, 7, seed=1).to(dtype)).sum().backward()
        results.append([out, x.grad, *(parameter.grad for parameter in module.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize('options', [{}, {'transform_norm_relu': True}, {'normalize_values': False, 'gamma': 0.5}])
def test_padding_counts_for_nothing(options):
    """A map that does not divide: each frame, cut short at the border, is PPM on its own pixels, gradients too."""
    local = built((3, 4), **options)
    local.transform[0].bias.data.fill_(7)  # what a padded pixel would bring in
    x, weight = noise(2, 6, 7, 6), noise(2, 6, 7, 6, seed=1)
    found = x.clone().requires_grad_()
    out = local(found)
    assert out.shape == x.shape
    (out * weight).sum().backward()
    gradients = [parameter.grad.clone() for parameter in local.parameters()]
    local.zero_grad()

    expected = x.clone().requires_grad_()
    values, total = local.transform(expected), 0
    for rows, cols in itertools.product((slice(0, 3), slice(3, 6), slice(6, 7)), (slice(0, 4), slice(4, 6))):
        piece = plain_ppm(expected[..., rows, cols], values[..., rows, cols], local.gamma, local.normalize_values)
        torch.testing.assert_close(piece, out[..., rows, cols])
        total = total + (piece * weight[..., rows, cols]).sum()
    total.backward()
    torch.testing.assert_close(found.grad, expected.grad)
    for one, parameter in zip(gradients, local.parameters(), strict=True):
        torch.testing.assert_close(one, parameter.grad)


def test_nothing_crosses_a_frame():
    local, x = built((7, 7)), noise(1, 6, 14, 21)
    changed = x.clone()
    changed[..., 7:14, 7:14] += 1
    same = (local(x) == local(changed)).all(dim=1)[0]
    expected = torch.ones(14, 21, dtype=torch.bool)
    expected[7:14, 7:14] = False
    assert torch.equal(same, expected)


def saved_bytes(module, x) -> int:
    """Bytes that the graph keeps for the backward pass, each storage once."""
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = module(x)
    del out
    return sum(kept.values())


def flops(module, x) -> int:
    with FlopCounterMode(display=False) as counter:
        module(x).sum().backward()
    return counter.get_total_flops()


def test_cost_grows_linearly_and_is_a_fraction_of_ppms():
    """Counted, not timed: multiplications of one forward and backward pass, and what the graph keeps."""
    channels, costs = 256, {}
    modules = {'local': LocalPPM(frame_size=7), 'whole': PPM()}
    for size in (14, 28, 56):
        x = torch.randn(1, channels, size, size, requires_grad=True)
        costs[size] = {name: (flops(module, x), saved_bytes(module, x)) for name, module in modules.items()}
    # x, unit features and values of a pixel; two 49x49 matrices a frame; lengths and weights beside them.
    pixel = 4 * (3 * channels + 2 * 49 + 2)
    for size, cost in costs.items():
        assert cost['local'][0] == size**2 * (6 * channels**2 + 10 * channels * 49)
        assert cost['whole'][0] == size**2 * (6 * channels**2 + 10 * channels * size**2)
        assert cost['local'][1] == pytest.approx(size**2 * pixel, abs=channels**2 * 4)
    assert costs[56]['local'][0] / costs[56]['whole'][0] < 0.07
    assert costs[56]['local'][1] / costs[56]['whole'][1] < 0.13


def test_frame_size_by_config():
    assert MODELS.build({'type': 'mmssl.LocalPPM', 'frame_size': 5}).frame_size == (5, 5)
    assert MODELS.build({'type': 'mmssl.LocalPPM', 'frame_size': [3, 4]}).frame_size == (3, 4)
    ppm = MODELS.build({'type': 'mmssl.LocalPPM'})
    assert ppm.frame_size == (7, 7)
    assert sum(parameter.numel() for parameter in ppm.parameters()) == 65_792
    assert 'frame_size=(7, 7), gamma=2, normalize_values=True' in repr(ppm)


def test_options_are_those_of_ppm():
    options = {
        'gamma': 3.0,
        'transform_layers': 2,
        'transform_norm_relu': True,
        'normalize_values': False,
        'norm_cfg': {'type': 'GN', 'num_groups': 2},
    }
    local, whole = built((3, 3), **options), PPM(in_channels=6, **options)
    assert [type(part) for part in local.transform] == [type(part) for part in whole.transform]
    assert len(local.transform) == 6
    assert (local.gamma, local.normalize_values) == (3, False)


def test_wrong_options_and_maps_are_one_line():
    with pytest.raises(ValueError, match='LocalPPM: map of 7x6 pixels, expected at least one frame of 7x7'):
        built((7, 7))(noise(1, 6, 7, 6))
    with pytest.raises(ValueError, match='LocalPPM: map of 4x9 pixels, expected at least one frame of 5x3'):
        built((5, 3))(noise(1, 6, 4, 9))
    with pytest.raises(ValueError, match=r'LocalPPM: input \(1, 5, 7, 7\), expected \(B, 6, H, W\)'):
        built((7, 7))(noise(1, 5, 7, 7))
    for size in (0, (7, 0), (7, 7, 7)):
        with pytest.raises(ValueError, match=r'LocalPPM: frame_size=.*, expected one or two numbers of at least 1'):
            LocalPPM(frame_size=size)
    with pytest.raises(ValueError, match='LocalPPM: gamma=0, expected a number above 0'):
        LocalPPM(gamma=0)
