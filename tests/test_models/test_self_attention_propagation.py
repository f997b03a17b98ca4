"""Self-attention: encoding by hand, pixel by pixel in Python, the identity at the start."""

import math

import pytest
import torch

from mmssl.models.necks.self_attention_propagation import SelfAttentionPropagation, position_encoding, sinusoids
from mmssl.registry import MODELS


def built(gamma, seed=0, **options) -> SelfAttentionPropagation:
    torch.manual_seed(seed)
    module = SelfAttentionPropagation(**options).double()
    module.gamma.data.fill_(gamma)
    return module


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_sinusoids_by_hand():
    # d_x = 4: the rates are 1 and 10000^(-2/4) = 0.01.
    found = sinusoids(3, 4)
    assert found[0].tolist() == [0, 1, 0, 1]
    expected = [[math.sin(p), math.cos(p), math.sin(p / 100), math.cos(p / 100)] for p in (1, 2)]
    torch.testing.assert_close(found[1:], torch.tensor(expected))


def test_equations_at_256_channels():
    found = sinusoids(56, 256)
    for pos, i in ((1, 0), (5, 1), (13, 64), (55, 127)):
        angle = pos / 10000 ** (2 * i / 256)
        assert found[pos, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-5)
        assert found[pos, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-5)


def test_encoding_of_a_map_by_hand():
    split = position_encoding((2, 3), 8)
    assert split.shape == (8, 2, 3)
    # Column 2, row 1: four channels for x = 2 with d_x = 4, four for y = 1.
    expected = [math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)]
    expected += [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]
    torch.testing.assert_close(split[:, 1, 2], torch.tensor(expected))
    total = position_encoding((2, 3), 4, 'sum')
    expected = [math.sin(2) + math.sin(1), math.cos(2) + math.cos(1)]
    expected += [math.sin(0.02) + math.sin(0.01), math.cos(0.02) + math.cos(0.01)]
    torch.testing.assert_close(total[:, 1, 2], torch.tensor(expected))


def test_codes_are_unique_where_the_channels_are_split():
    codes = position_encoding((14, 14), 256).flatten(1).T
    distances = torch.cdist(codes, codes).fill_diagonal_(9)
    assert distances.min() > 0.5
    total = position_encoding((14, 14), 256, 'sum')
    assert torch.equal(total, total.transpose(1, 2))


@pytest.mark.parametrize('key_channels', [None, 3])
@pytest.mark.parametrize('encoding', ['split', 'sum'])
def test_equals_the_slow_reference(key_channels, encoding):
    module = built(0.7, in_channels=8, key_channels=key_channels, encoding=encoding)
    x = noise(2, 8, 3, 4)
    placed = x + position_encoding((3, 4), 8, encoding)
    module.requires_grad_(False)
    found = module(x)
    layers = {name: getattr(module, name) for name in ('query', 'key', 'value')}

    def apply(name, pixel):
        return layers[name].weight[:, :, 0, 0] @ pixel + layers[name].bias

    for image in range(2):
        pixels = [placed[image, :, row, col] for row in range(3) for col in range(4)]
        for index, pixel in enumerate(pixels):
            query = apply('query', pixel)
            scores = [float(query @ apply('key', other)) / math.sqrt(key_channels or 8) for other in pixels]
            total = sum(math.exp(score) for score in scores)
            attended = sum(
                math.exp(score) / total * apply('value', other) for score, other in zip(scores, pixels, strict=True)
            )
            row, col = divmod(index, 4)
            torch.testing.assert_close(found[image, :, row, col], x[image, :, row, col] + 0.7 * attended)


def test_identity_at_the_start_where_gamma_alone_learns():
    torch.manual_seed(0)
    module = MODELS.build({'type': 'mmssl.SelfAttentionPropagation', 'in_channels': 8})
    x = torch.randn(2, 8, 5, 4)
    out = module(x)
    assert torch.equal(out, x)
    (out * torch.randn_like(out)).sum().backward()
    assert abs(module.gamma.grad.item()) > 0.1
    for layer in (module.query, module.key, module.value):
        assert layer.weight.grad.abs().max() == 0


def test_all_learn_after_that():
    module = built(0.5, in_channels=8)
    module(noise(2, 8, 5, 4)).square().sum().backward()
    for name, parameter in module.named_parameters():
        # Softmax does not change when all scores of a row do: the bias of the keys is without effect.
        assert (parameter.grad.abs().max() > 1e-3) == (name != 'key.bias'), name


def test_positions_matter():
    module, x = built(1.0, in_channels=8), noise(1, 8, 1, 1).expand(1, 8, 4, 4)
    attended = (module(x) - x)[0].flatten(1).T
    assert torch.cdist(attended, attended).fill_diagonal_(9).min() > 1e-4


def test_half_precision_under_autocast():
    torch.manual_seed(0)
    module, x = SelfAttentionPropagation(in_channels=16), torch.randn(2, 16, 6, 6)
    module.gamma.data.fill_(0.5)
    exact = module(x)
    with torch.autocast('cpu', torch.bfloat16):
        half = module(x)
    assert (half - exact).norm() / exact.norm() < 0.01


@pytest.mark.parametrize('options, parameters', [({}, 3 * 65_792 + 1), ({'key_channels': 32}, 65_792 + 2 * 8224 + 1)])
def test_number_of_parameters(options, parameters):
    module = SelfAttentionPropagation(**options)
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters


def test_wrong_options_and_input_are_one_line():
    for options, message in (
        ({'encoding': 'learned'}, r"encoding='learned', expected one of \['split', 'sum'\]"),
        ({'in_channels': 6}, "in_channels=6, expected a multiple of 4 for encoding='split'"),
        ({'in_channels': 5, 'encoding': 'sum'}, "in_channels=5, expected a multiple of 2 for encoding='sum'"),
        ({'in_channels': 0}, 'in_channels=0, expected a multiple of 4'),
        ({'key_channels': 0}, 'key_channels=0, expected at least 1'),
    ):
        with pytest.raises(ValueError, match=f'SelfAttentionPropagation: {message}') as error:
            SelfAttentionPropagation(**options)
        assert '\n' not in str(error.value)
    with pytest.raises(ValueError, match=r'input \(8, 3, 3\), expected \(B, 8, H, W\)'):
        SelfAttentionPropagation(in_channels=8)(torch.zeros(8, 3, 3))
