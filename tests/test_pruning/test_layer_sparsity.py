"""Zeros and operations of layers, by hand and against torch's own counter."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmssl.pruning.sparsity import measure_sparsity


def test_one_convolution_by_hand():
    net = nn.Conv2d(3, 8, 3, stride=2, padding=1)
    with torch.no_grad():
        net.weight.view(-1)[:54] = 0  # a quarter of 8 * 3 * 9 = 216
        net.bias[0] = 0
    found = measure_sparsity(net, lambda: net(torch.zeros(2, 3, 10, 7)))
    (layer,) = found.layers
    assert (layer.name, layer.weights, layer.zeros, layer.sparsity) == ('weight', 216, 54, 0.25)
    assert layer.uses == 2 * 5 * 4  # images times output positions
    assert layer.dense_flops == 2 * 216 * 40
    assert layer.sparse_flops == 2 * 162 * 40
    assert (found.parameters, found.nonzero) == (224, 169)
    assert (found.dense_flops, found.sparse_flops, found.other_flops) == (17280, 12960, 0)
    assert (found.total.weights, found.total.zeros) == (216, 54)


LAYERS = [
    (nn.Conv2d(4, 6, 3, groups=2, dilation=2, padding=2), (1, 4, 9, 8)),
    (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), (2, 4, 5, 6)),
    (nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2), (1, 4, 5, 6)),
    (nn.Conv1d(4, 6, 5), (3, 4, 20)),
    (nn.Conv3d(2, 3, 3), (1, 2, 5, 5, 5)),
    (nn.Linear(7, 5), (3, 4, 7)),
    (nn.Linear(7, 5), (7,)),
]


@pytest.mark.parametrize(('layer', 'shape'), LAYERS, ids=lambda value: type(value).__name__)
def test_against_torch(layer, shape):
    with FlopCounterMode(display=False) as counter:
        layer(torch.zeros(shape))
    found = measure_sparsity(layer, lambda: layer(torch.zeros(shape)))
    assert counter.get_total_flops() > 0 or len(shape) == 1  # torch counts no matrix times vector
    if len(shape) > 1:
        assert found.dense_flops == counter.get_total_flops()
    else:
        assert found.dense_flops == 2 * 35
    assert found.sparse_flops == found.dense_flops


def test_layers_that_run_twice_and_operations_outside():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.twice = nn.Linear(4, 4, bias=False)
            self.shares = nn.Linear(4, 4, bias=False)
            self.shares.weight = self.twice.weight
            self.unused = nn.Linear(4, 4)

        def forward(self, x):
            x = self.shares(self.twice(self.twice(x)))
            return x @ x.T

    net = Net()
    with torch.no_grad():
        net.twice.weight[0] = 0
    found = measure_sparsity(net, lambda: net(torch.zeros(3, 4)))
    assert [(layer.name, layer.uses) for layer in found.layers] == [('twice.weight', 9), ('unused.weight', 0)]
    assert found.other_flops == 2 * 3 * 3 * 4
    assert found.dense_flops == 2 * 16 * 9 + 72
    assert found.sparse_flops == 2 * 12 * 9 + 72
    assert all(not module._forward_hooks for module in net.modules())
    assert measure_sparsity(net).dense_flops == 0
