"""Max-pool and two linear layers by hand."""

import pytest
import torch

from mmssl.models.necks.max_pool_mlp import MaxPoolMLP
from mmssl.registry import MODELS


def tiny(num_patches: int) -> MaxPoolMLP:
    """One channel, one hidden neuron for the sum of the patches minus 1, outputs twice and minus it."""
    mlp = MaxPoolMLP(in_channels=1, hidden_channels=1, out_channels=2, num_patches=num_patches)
    with torch.no_grad():
        mlp.hidden.weight.copy_(10.0 ** torch.arange(num_patches)[None])
        mlp.hidden.bias.fill_(-1)
        mlp.out.weight.copy_(torch.tensor([[2.0], [-1.0]]))
        mlp.out.bias.copy_(torch.tensor([0.0, 5.0]))
    return mlp


def maps(*maxima: float) -> tuple[torch.Tensor, ...]:
    last = torch.full((len(maxima), 1, 2, 3), -9.0)
    last[:, 0, 1, 2] = torch.tensor(maxima)
    return torch.zeros(1), last  # an earlier map is not looked at


def test_by_hand():
    # max 3: 3 - 1 = 2, outputs 4 and -2 + 5; max 0.5: relu(-0.5) = 0, outputs 0 and 5.
    (out,) = tiny(1)(maps(3.0, 0.5))
    assert out.tolist() == [[4.0, 3.0], [0.0, 5.0]]
    assert tiny(1).embed(maps(3.0, 0.5)).tolist() == [[2.0], [0.0]]


def test_patches_of_an_image_are_concatenated_in_order():
    # Weights 1 and 10: image 1 has 1 + 20 - 1 = 20, image 2 has 3 + 40 - 1 = 42.
    (out,) = tiny(2)(maps(1.0, 2.0, 3.0, 4.0))
    assert out.tolist() == [[40.0, -15.0], [84.0, -37.0]]


def test_gradient_reaches_the_maxima_alone():
    feats = maps(3.0, 2.0)
    feats[1].requires_grad_()
    tiny(1)(feats)[0][:, 0].sum().backward()
    expected = torch.zeros(2, 1, 2, 3)
    expected[:, 0, 1, 2] = 2
    assert torch.equal(feats[1].grad, expected)


def test_sizes_of_the_thesis():
    mlp = MODELS.build(
        {'type': 'mmssl.MaxPoolMLP', 'in_channels': 128, 'hidden_channels': 4096, 'out_channels': 100, 'num_patches': 9}
    )
    assert mlp.hidden.weight.shape == (4096, 1152)
    assert mlp([torch.rand(18, 128, 8, 8)])[0].shape == (2, 100)


def test_bad_input_is_one_line():
    with pytest.raises(ValueError, match='3 patches in a batch, expected a multiple of num_patches=2'):
        tiny(2)(maps(1.0, 2.0, 3.0))
    with pytest.raises(ValueError, match='hidden_channels=0, expected at least 1'):
        MaxPoolMLP(hidden_channels=0)
