"""Energy ranking and composed layers on numbers small enough for a pencil."""

import math

import pytest
import torch
from torch import nn

from mmssl.transfer.filters import (
    as_filters,
    by_energy,
    filter_energy,
    from_filters,
    kaiming_filters,
    number_kept,
    replace_rows,
    weakest,
)


def test_energy_is_the_sum_of_magnitudes():
    weight = torch.tensor([[1.0, -2.0], [0.5, 0.5], [-4.0, 0.0], [3.0, 0.0]]).reshape(4, 1, 1, 2)
    filters = as_filters(weight)
    assert filter_energy(filters).tolist() == [3.0, 1.0, 4.0, 3.0]
    # 4, then the first of the two with 3
    assert by_energy(filters).tolist() == [2, 0, 3, 1]
    assert weakest(filters, 2).tolist() == [1, 3]
    assert weakest(filters, 4).tolist() == []


@pytest.mark.parametrize('groups', [1, 2])
def test_filters_of_a_transposed_convolution_are_its_output_channels(groups):
    torch.manual_seed(0)
    conv = nn.ConvTranspose2d(4, 6, 3, groups=groups, bias=False)
    filters = as_filters(conv.weight.detach(), groups)
    assert filters.shape == (6, 4 // groups * 9)
    # reference: an output channel dies exactly when its filter does
    for channel in range(6):
        changed = filters.clone()
        changed[channel] = 0
        silent = nn.ConvTranspose2d(4, 6, 3, groups=groups, bias=False)
        silent.weight.data = from_filters(changed, conv.weight.shape, groups)
        images = torch.randn(2, 4, 5, 5)
        output, expected = silent(images), conv(images)
        assert output[:, channel].abs().max() == 0
        others = [other for other in range(6) if other != channel]
        assert torch.equal(output[:, others], expected[:, others])


@pytest.mark.parametrize(('shape', 'groups'), [((8, 3, 3, 1), 0), ((5, 7), 0), ((4, 3, 2, 2), 1), ((4, 3, 2, 2), 2)])
def test_layout_is_undone(shape, groups):
    weight = torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape)
    assert torch.equal(from_filters(as_filters(weight, groups), weight.shape, groups), weight)


@pytest.mark.parametrize(
    ('share', 'filters', 'kept'),
    [(0.75, 128, 96), (0.9, 128, 115), (0.9, 16, 14), (0.75, 13, 10), (0.5, 5, 3), (0.01, 16, 1), (1.0, 7, 7)],
)
def test_number_kept_is_rounded(share, filters, kept):
    assert number_kept(share, filters) == kept


def test_kaiming_deviation_and_independence_of_the_global_generator():
    torch.manual_seed(1)
    size = 128 * 3
    first = kaiming_filters(400, size, seed=0, name='a.weight')
    # The deviation of 153,600 normal numbers is known within 0.18 %; 1 % is more than five times that.
    assert first.std().item() == pytest.approx(math.sqrt(2 / size), rel=0.01)
    assert abs(first.mean().item()) < 5 * math.sqrt(2 / size / first.numel())
    state = torch.get_rng_state()
    again = kaiming_filters(400, size, seed=0, name='a.weight')
    assert torch.equal(first, again)
    assert torch.equal(state, torch.get_rng_state())
    for seed, name in ((1, 'a.weight'), (0, 'b.weight')):
        other = kaiming_filters(400, size, seed=seed, name=name)
        correlation = torch.corrcoef(torch.stack([first.flatten(), other.flatten()]))[0, 1]
        assert abs(correlation) < 0.02


def test_rows_are_replaced_in_a_copy():
    rows = torch.arange(6.0).reshape(3, 2)
    result = replace_rows(rows, torch.tensor([2, 0]), torch.tensor([[9.0, 9.0], [8.0, 8.0]]))
    assert result.tolist() == [[8.0, 8.0], [2.0, 3.0], [9.0, 9.0]]
    assert rows.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
